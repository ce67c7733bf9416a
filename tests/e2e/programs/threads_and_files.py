# SPDX-License-Identifier: Apache-2.0
"""Threads that share a queue and write files; what they wrote is read again as JSON."""

import hashlib
import json
import queue
import tempfile
import threading
from pathlib import Path

THREADS = 4
JOBS = 16


def work(jobs: "queue.Queue[int]", folder: Path) -> None:
    while True:
        try:
            number = jobs.get_nowait()
        except queue.Empty:
            return
        digest = hashlib.sha256(str(number).encode() * 1000).hexdigest()
        (folder / f"{number}.json").write_text(json.dumps({"number": number, "digest": digest}))


def main() -> None:
    jobs: queue.Queue[int] = queue.Queue()
    for number in range(JOBS):
        jobs.put(number)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        threads = [threading.Thread(target=work, args=(jobs, folder)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for path in sorted(folder.iterdir()):
            found = json.loads(path.read_text())
            print(path.name, path.stat().st_size, found["number"], found["digest"][:8])
    print("left:", Path(name).exists())


if __name__ == "__main__":
    main()
