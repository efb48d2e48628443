"""The commands of `magnetar admin` as rows; names and options are those of pulsar-admin."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from magnetar_cli import admin_values as values

Body = Callable[[Mapping[str, Any]], Any]
"""Makes the body of a call out of the options that were given."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command.

    Attributes:
        flags: As on the command line; the last one names the value.
        query: Its name in the query; "" if it does not go there.
        read: Checks and changes the text.
        switch: Stands without a value.
        many: May be given several times.
    """

    flags: tuple[str, ...]
    help: str
    query: str = ""
    read: Callable[[Any], Any] | None = None
    required: bool = False
    default: str | None = None
    switch: bool = False
    many: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One command: a call to the admin API.

    Attributes:
        path: Behind `/admin/v2`; `{topic}`, `{namespace}` and others are arguments or options.
        arguments: The names among them that are arguments, in order.
        body: Makes the body; None for none.
    """

    method: str
    path: str
    help: str
    arguments: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    body: Body | None = None


_READERS: Final[Mapping[str, Callable[[str], str]]] = {
    "topic": values.topic_path,
    "namespace": values.namespace_path,
}


def reader_of(argument: str) -> Callable[[str], str]:
    """How an argument becomes a part of the path."""
    return _READERS.get(argument, values.segment)


def _key(name: str) -> Body:
    return lambda given: given[name]


_SUBSCRIPTION: Final = Option(
    ("-s", "--subscription"), "Its name.", required=True, read=values.segment
)
_FORCE: Final = Option(("-f", "--force"), "Also what is in use.", query="force", switch=True)
_PARTITIONS: Final = Option(("-p", "--partitions"), "How many.", read=int, required=True)
_ROLE: Final = Option(("-r", "--role"), "Who.", required=True, read=values.segment)
_ROLE_LONG: Final = Option(("--role",), "Who.", required=True, read=values.segment)
_ACTIONS: Final = Option(("--actions",), "produce,consume", required=True, read=values.names_of)
_PROPERTIES: Final = Option(
    ("-p", "--property"), "key=value; several times.", read=values.properties_of, many=True
)
_EXPIRE: Final = Option(
    ("-t", "--expire-time"), "Older than so long: 30s, 2h.", required=True, read=values.seconds_of
)
_TENANT: Final = (
    Option(("-r", "--admin-roles"), "Roles, with commas.", read=values.names_of, default=""),
    Option(
        ("-c", "--allowed-clusters"),
        "Clusters, with commas; all if it is missing.",
        read=values.names_of,
        default="",
    ),
)


def _tenant(given: Mapping[str, Any]) -> Any:
    clusters = given["allowed_clusters"] or given["ask"]("GET", "/clusters")
    return {"adminRoles": given["admin_roles"], "allowedClusters": clusters}


_CLUSTER: Final = (
    Option(("--url",), "http://host:8080", required=True),
    Option(("--broker-url",), "pulsar://host:6650", default=""),
)


def _cluster(given: Mapping[str, Any]) -> Any:
    return {"serviceUrl": given["url"], "brokerServiceUrl": given["broker_url"]}


_RETENTION: Final = (
    Option(
        ("-t", "--time"),
        "7d; a number is minutes; -1 is for ever.",
        required=True,
        read=values.minutes_of,
    ),
    Option(("-s", "--size"), "10G; a number is MiB; -1 is all.", required=True, read=values.mib_of),
)


def _retention(given: Mapping[str, Any]) -> Any:
    return {"retentionTimeInMinutes": given["time"], "retentionSizeInMB": given["size"]}


def _namespace(given: Mapping[str, Any]) -> Any:
    policies: dict[str, Any] = {}
    if given["bundles"]:
        policies["bundles"] = {"numBundles": given["bundles"]}
    if given["clusters"]:
        policies["replication_clusters"] = given["clusters"]
    return policies


CLUSTERS: Final[Mapping[str, Call]] = {
    "list": Call("GET", "/clusters", "All clusters."),
    "get": Call("GET", "/clusters/{cluster}", "Where one is reached.", ("cluster",)),
    "create": Call(
        "PUT", "/clusters/{cluster}", "Make one known.", ("cluster",), _CLUSTER, _cluster
    ),
    "update": Call(
        "POST", "/clusters/{cluster}", "Replace what is known.", ("cluster",), _CLUSTER, _cluster
    ),
    "delete": Call("DELETE", "/clusters/{cluster}", "Forget one.", ("cluster",)),
}

TENANTS: Final[Mapping[str, Call]] = {
    "list": Call("GET", "/tenants", "All tenants."),
    "get": Call("GET", "/tenants/{tenant}", "Roles and clusters of one.", ("tenant",)),
    "create": Call("PUT", "/tenants/{tenant}", "Make one.", ("tenant",), _TENANT, _tenant),
    "update": Call(
        "POST", "/tenants/{tenant}", "Replace roles and clusters.", ("tenant",), _TENANT, _tenant
    ),
    "delete": Call(
        "DELETE", "/tenants/{tenant}", "Forget one without namespaces.", ("tenant",), (_FORCE,)
    ),
}

_NS: Final = ("namespace",)
NAMESPACES: Final[Mapping[str, Call]] = {
    "list": Call("GET", "/namespaces/{tenant}", "Those of a tenant.", ("tenant",)),
    "policies": Call("GET", "/namespaces/{namespace}", "All its policies.", _NS),
    "topics": Call("GET", "/namespaces/{namespace}/topics?mode=ALL", "Its topics.", _NS),
    "bundles": Call("GET", "/namespaces/{namespace}/bundles", "How it is split.", _NS),
    "create": Call(
        "PUT",
        "/namespaces/{namespace}",
        "Make one.",
        _NS,
        (
            Option(("-b", "--bundles"), "How many bundles.", read=int),
            Option(("-c", "--clusters"), "Clusters, with commas.", read=values.names_of),
        ),
        _namespace,
    ),
    "delete": Call("DELETE", "/namespaces/{namespace}", "Forget one.", _NS, (_FORCE,)),
    "unload": Call("PUT", "/namespaces/{namespace}/unload", "Close its topics.", _NS),
    "clear-backlog": Call(
        "POST",
        "/namespaces/{namespace}/clearBacklog",
        "All subscriptions pass over all that was published.",
        _NS,
    ),
    "unsubscribe": Call(
        "POST",
        "/namespaces/{namespace}/unsubscribe/{subscription}",
        "Delete a subscription of all topics.",
        _NS,
        (_SUBSCRIPTION,),
    ),
    "permissions": Call("GET", "/namespaces/{namespace}/permissions", "Who may what.", _NS),
    "grant-permission": Call(
        "POST",
        "/namespaces/{namespace}/permissions/{role}",
        "Let a role do just this.",
        _NS,
        (_ROLE_LONG, _ACTIONS),
        _key("actions"),
    ),
    "revoke-permission": Call(
        "DELETE",
        "/namespaces/{namespace}/permissions/{role}",
        "Let a role do nothing.",
        _NS,
        (_ROLE_LONG,),
    ),
    "get-properties": Call("GET", "/namespaces/{namespace}/properties", "Its properties.", _NS),
    "set-properties": Call(
        "PUT",
        "/namespaces/{namespace}/properties",
        "Add properties.",
        _NS,
        (_PROPERTIES,),
        _key("property"),
    ),
    "clear-properties": Call("DELETE", "/namespaces/{namespace}/properties", "Forget them.", _NS),
    "get-retention": Call("GET", "/namespaces/{namespace}/retention", "What is retained.", _NS),
    "set-retention": Call(
        "POST",
        "/namespaces/{namespace}/retention",
        "Retain acked messages.",
        _NS,
        _RETENTION,
        _retention,
    ),
    "remove-retention": Call("DELETE", "/namespaces/{namespace}/retention", "As the broker.", _NS),
    "get-message-ttl": Call("GET", "/namespaces/{namespace}/messageTTL", "In seconds.", _NS),
    "set-message-ttl": Call(
        "POST",
        "/namespaces/{namespace}/messageTTL",
        "Expire messages.",
        _NS,
        (Option(("-ttl", "--messageTTL"), "30s, 2h.", read=values.seconds_of, required=True),),
        _key("messagettl"),
    ),
    "remove-message-ttl": Call(
        "DELETE", "/namespaces/{namespace}/messageTTL", "As the broker.", _NS
    ),
}

_T: Final = ("topic",)
TOPICS: Final[Mapping[str, Call]] = {
    "list": Call("GET", "/namespaces/{namespace}/topics?mode=ALL", "Those of a namespace.", _NS),
    "list-partitioned-topics": Call(
        "GET", "/persistent/{namespace}/partitioned", "The partitioned ones.", _NS
    ),
    "create": Call("PUT", "/{topic}", "Make one.", _T, (_PROPERTIES,), _key("property")),
    "create-partitioned-topic": Call(
        "PUT",
        "/{topic}/partitions",
        "Make a partitioned one.",
        _T,
        (_PARTITIONS,),
        _key("partitions"),
    ),
    "update-partitioned-topic": Call(
        "POST",
        "/{topic}/partitions",
        "Give it more partitions.",
        _T,
        (_PARTITIONS,),
        _key("partitions"),
    ),
    "create-missed-partitions": Call(
        "POST", "/{topic}/createMissedPartitions", "Make those that are not there.", _T
    ),
    "get-partitioned-topic-metadata": Call("GET", "/{topic}/partitions", "How many there are.", _T),
    "delete": Call("DELETE", "/{topic}", "Delete one.", _T, (_FORCE,)),
    "delete-partitioned-topic": Call(
        "DELETE", "/{topic}/partitions", "Delete it with its partitions.", _T, (_FORCE,)
    ),
    "stats": Call("GET", "/{topic}/stats", "Its figures.", _T),
    "partitioned-stats": Call(
        "GET",
        "/{topic}/partitioned-stats",
        "Of all partitions.",
        _T,
        (Option(("--per-partition",), "Of each too.", query="perPartition", switch=True),),
    ),
    "stats-internal": Call("GET", "/{topic}/internalStats", "Its ledgers and cursors.", _T),
    "info-internal": Call("GET", "/{topic}/internal-info", "The same in metadata.", _T),
    "subscriptions": Call("GET", "/{topic}/subscriptions", "Their names.", _T),
    "create-subscription": Call(
        "PUT",
        "/{topic}/subscription/{subscription}",
        "Make one.",
        _T,
        (
            _SUBSCRIPTION,
            Option(
                ("-m", "--messageId"),
                "earliest, latest, 12:34.",
                read=values.position_of,
                default="latest",
            ),
        ),
        _key("messageid"),
    ),
    "unsubscribe": Call(
        "DELETE",
        "/{topic}/subscription/{subscription}",
        "Delete a subscription.",
        _T,
        (_SUBSCRIPTION, _FORCE),
    ),
    "skip": Call(
        "POST",
        "/{topic}/subscription/{subscription}/skip/{count}",
        "Pass over so many messages.",
        _T,
        (_SUBSCRIPTION, Option(("-n", "--count"), "How many.", required=True, read=int)),
    ),
    "clear-backlog": Call(
        "POST",
        "/{topic}/subscription/{subscription}/skip_all",
        "Pass over all that was published.",
        _T,
        (_SUBSCRIPTION,),
    ),
    "expire-messages": Call(
        "POST",
        "/{topic}/subscription/{subscription}/expireMessages/{expire_time}",
        "Pass over what is old.",
        _T,
        (_SUBSCRIPTION, _EXPIRE),
    ),
    "expire-messages-all-subscriptions": Call(
        "POST",
        "/{topic}/all_subscription/expireMessages/{expire_time}",
        "The same for all subscriptions.",
        _T,
        (_EXPIRE,),
    ),
    "reset-cursor": Call(
        "POST",
        "/{topic}/subscription/{subscription}/resetcursor",
        "Go on at a message.",
        _T,
        (
            _SUBSCRIPTION,
            Option(
                ("-m", "--messageId"),
                "earliest, latest, 12:34.",
                read=values.position_of,
                required=True,
            ),
        ),
        _key("messageid"),
    ),
    "analyze-backlog": Call(
        "POST",
        "/{topic}/subscription/{subscription}/analyzeBacklog",
        "Read and count what is left.",
        _T,
        (_SUBSCRIPTION,),
    ),
    "last-message-id": Call("GET", "/{topic}/lastMessageId", "Of its last message.", _T),
    "get-backlog-size": Call(
        "PUT",
        "/{topic}/backlogSize",
        "Bytes behind a message.",
        _T,
        (Option(("-m", "--messageId"), "12:34.", read=values.position_of, required=True),),
        _key("messageid"),
    ),
    "terminate": Call("POST", "/{topic}/terminate", "Take no message any more.", _T),
    "truncate": Call("DELETE", "/{topic}/truncate", "Delete what was published.", _T),
    "trim-topic": Call("POST", "/{topic}/trim", "Delete ledgers that nothing holds.", _T),
    "unload": Call("PUT", "/{topic}/unload", "Close it; it opens again when it is used.", _T),
    "permissions": Call("GET", "/{topic}/permissions", "Who may what.", _T),
    "grant-permission": Call(
        "POST",
        "/{topic}/permissions/{role}",
        "Let a role do just this.",
        _T,
        (_ROLE, _ACTIONS),
        _key("actions"),
    ),
    "revoke-permission": Call(
        "DELETE", "/{topic}/permissions/{role}", "Let a role do nothing.", _T, (_ROLE,)
    ),
    "get-properties": Call("GET", "/{topic}/properties", "Its properties.", _T),
    "update-properties": Call(
        "PUT", "/{topic}/properties", "Add properties.", _T, (_PROPERTIES,), _key("property")
    ),
    "remove-properties": Call(
        "DELETE",
        "/{topic}/properties",
        "Forget one.",
        _T,
        (Option(("-k", "--key"), "Its name.", query="key", required=True),),
    ),
}

SUBSCRIPTIONS: Final[Mapping[str, Call]] = {
    "list": TOPICS["subscriptions"],
    "create": TOPICS["create-subscription"],
    "delete": TOPICS["unsubscribe"],
    "skip": TOPICS["skip"],
    "clear-backlog": TOPICS["clear-backlog"],
    "expire-messages": TOPICS["expire-messages"],
    "reset-cursor": TOPICS["reset-cursor"],
    "analyze-backlog": TOPICS["analyze-backlog"],
    "get-properties": Call(
        "GET",
        "/{topic}/subscription/{subscription}/properties",
        "Its properties.",
        _T,
        (_SUBSCRIPTION,),
    ),
    "set-properties": Call(
        "PUT",
        "/{topic}/subscription/{subscription}/properties",
        "Replace its properties.",
        _T,
        (_SUBSCRIPTION, _PROPERTIES),
        _key("property"),
    ),
}

BROKERS: Final[Mapping[str, Call]] = {
    "list": Call("GET", "/brokers", "All that are up."),
    "leader-broker": Call("GET", "/brokers/leaderBroker", "Who gives bundles away."),
    "healthcheck": Call("GET", "/brokers/health", "Whether the one that is asked is well."),
    "version": Call("GET", "/brokers/version", "Of the one that is asked."),
    "list-dynamic-config": Call("GET", "/brokers/configuration", "What can be changed live."),
    "get-all-dynamic-config": Call("GET", "/brokers/configuration/values", "What was."),
}

BOOKIES: Final[Mapping[str, Call]] = {
    "list-bookies": Call("GET", "/bookies/all", "All that are registered."),
    "racks-placement": Call("GET", "/bookies/racks-info", "In which racks they are."),
}

GROUPS: Final[Mapping[str, tuple[str, Mapping[str, Call]]]] = {
    "clusters": ("Clusters.", CLUSTERS),
    "tenants": ("Tenants.", TENANTS),
    "namespaces": ("Namespaces and their policies.", NAMESPACES),
    "topics": ("Topics.", TOPICS),
    "subscriptions": ("Subscriptions of topics.", SUBSCRIPTIONS),
    "brokers": ("Brokers.", BROKERS),
    "bookies": ("Bookies.", BOOKIES),
}
