"""Messages with nothing but HTTP and the standard library: no client of Pulsar at all.

    python examples/http_only.py [WEB_URL]

What is not acknowledged comes again, so a program that dies here loses nothing. A consumer is
named by its address, and each `GET` of its messages waits for some.
"""

import json
import sys
import urllib.request
from typing import Any

TOPIC = "/topics/persistent/public/default/example-http"
CONSUMER = TOPIC + "/subscriptions/readers/consumers/me"
TIMEOUT_S = 30


def ask(url: str, body: object = None) -> Any:
    """POST with a body, GET without; gives the answer's JSON, None if there is none."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
        content = answer.read()
    return json.loads(content) if content else None


def main(web_url: str) -> None:
    consumer, topic = web_url + CONSUMER, web_url + TOPIC
    ask(f"{consumer}/messages?subscriptionInitialPosition=Earliest")  # makes the subscription

    messages = [{"payload": f"message {number}", "key": str(number)} for number in range(3)]
    stored = ask(topic, {"messages": messages})["messagePublishResults"]
    print("stored:", len([row for row in stored if row["errorCode"] == 0]))

    received: list[str] = []
    while len(received) < len(messages):
        answer = ask(f"{consumer}/messages?waitMillis=10000&maxMessages=10")
        received += [message["payload"] for message in answer["messages"]]
        ask(f"{consumer}/acks", answer)  # an answer is taken as it came
    print("received:", ", ".join(received))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080")
