"""The broker's HTTP side: admin API, lookup, metrics. Needs the extra `server`."""
