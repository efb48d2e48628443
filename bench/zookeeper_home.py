"""The ZooKeeper of the peers, laid out as an unpacked release."""

import hashlib
import os
import subprocess
from pathlib import Path

from bench.servers import APACHE


def zookeeper_home(directory: Path) -> Path:
    """Makes the directory, with the jars of the peers in its lib; returns it."""
    subprocess.run([str(APACHE), "setup"], check=True, stdout=subprocess.DEVNULL)
    digest = hashlib.sha256((APACHE.parent / "pom.xml").read_bytes()).hexdigest()[:12]
    cache = os.environ.get("PEERS_CACHE", str(Path.home() / ".cache" / "apache-peers"))
    class_path = Path(cache, f"classpath-{digest}").read_text()
    (directory / "lib").mkdir(parents=True)
    for jar in map(Path, class_path.strip().split(":")):
        (directory / "lib" / jar.name).symlink_to(jar)
    return directory
