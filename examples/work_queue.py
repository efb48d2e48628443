"""A work queue: several workers, retries that wait longer each time, and a dead letter topic.

    python examples/work_queue.py [SERVICE_URL]

Each job goes to one worker. A job that fails comes again after 0.1 s, then 0.2 s; at its third
failure it goes to the dead letter topic, where somebody may look at it.
"""

import asyncio
import sys

from magnetar import (
    Client,
    Consumer,
    ConsumerDeadLetterPolicy,
    ConsumerType,
    InitialPosition,
    Message,
    MultiplierRedeliveryBackoff,
)

JOBS = "example-jobs"
DEAD_JOBS = "example-jobs-dead"
WORKERS = 3
MAX_RETRIES = 2


def work(job: str, attempt: int) -> None:
    """Does a job: some fail once, one fails always."""
    if job == "job 7" or (job.endswith("3") and attempt == 1):
        raise ValueError(f"{job} failed")


async def worker(name: str, queue: Consumer, done: asyncio.Queue[str]) -> None:
    """Takes jobs until it is cancelled."""
    async for message in queue:
        job, attempt = message.data().decode(), message.redelivery_count() + 1
        try:
            work(job, attempt)
        except ValueError as error:
            print(f"{name}: {error}, attempt {attempt}")
            await queue.negative_acknowledge(message)
        else:
            await queue.acknowledge(message)
            done.put_nowait(job)


async def open_queue(client: Client) -> Consumer:
    return await client.subscribe(
        JOBS,
        "workers",
        consumer_type=ConsumerType.Shared,
        initial_position=InitialPosition.Earliest,
        receiver_queue_size=10,  # a slow worker keeps few jobs waiting
        negative_ack_redelivery_backoff=MultiplierRedeliveryBackoff(100, 10_000, 2),
        dead_letter_policy=ConsumerDeadLetterPolicy(MAX_RETRIES, DEAD_JOBS),
    )


async def main(service_url: str) -> None:
    async with Client(service_url) as client:
        queues = [await open_queue(client) for _ in range(WORKERS)]
        dead = await client.subscribe(DEAD_JOBS, "looked at")
        producer = await client.create_producer(JOBS, batching_enabled=False)
        jobs = [f"job {number}" for number in range(10)]
        for job in jobs:
            await producer.send(job.encode())

        done: asyncio.Queue[str] = asyncio.Queue(len(jobs))
        async with asyncio.TaskGroup() as group:
            workers = [
                group.create_task(worker(f"worker {number}", queue, done))
                for number, queue in enumerate(queues)
            ]
            finished = sorted([await done.get() for _ in jobs[1:]])
            letter: Message = await dead.receive()
            await dead.acknowledge(letter)
            for task in workers:
                task.cancel()
        print(f"done: {', '.join(finished)}")
        print(f"dead: {letter.data().decode()}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "pulsar://localhost:6650"))
