"""Count the primes below each limit of a file and write them down: python3 sieve.py limits.txt"""

import sys
from pathlib import Path


def primes_below(limit: int) -> list[int]:
    """The primes below `limit` by the sieve of Eratosthenes."""
    flags = bytearray([1]) * limit
    flags[:2] = b"\0\0"
    for number in range(2, int(limit**0.5) + 1):
        if flags[number]:
            flags[number * number :: number] = bytes(len(range(number * number, limit, number)))
    return [number for number, flag in enumerate(flags) if flag]


def main() -> None:
    folder = Path("primes")
    folder.mkdir(exist_ok=True)
    for line in Path(sys.argv[1]).read_text().split():
        found = primes_below(int(line))
        (folder / f"below-{line}.txt").write_text("\n".join(map(str, found)) + "\n")
        sys.stdout.write(f"{len(found)} primes below {line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
