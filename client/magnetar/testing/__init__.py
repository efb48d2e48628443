"""For tests of applications: a broker in a process of its own, and a network that fails on order.

Installed with pytest, the package brings the fixtures of `magnetar.testing.pytest_plugin`. The
broker and the proxy serve every client of Pulsar, not only this one.
"""

from magnetar.testing.broker import Broker as Broker
from magnetar.testing.broker import BrokerError as BrokerError
from magnetar.testing.chaos import ChaosProxy as ChaosProxy
from magnetar.testing.chaos import Fault as Fault
from magnetar.testing.chaos import Step as Step
from magnetar.testing.chaos import draw_plan as draw_plan
from magnetar.testing.chaos_thread import ChaosThread as ChaosThread
