"""How the members of a group share partitions: by what these have to say, not by their number."""

from collections.abc import Collection, Iterable, Mapping

from common.streams.port import TopicPartition

# A partition of which nothing is known yet, or little, counts for so much of the average: it may wake up.
LEAST_SHARE = 0.1


def shares(
    partitions: Iterable[TopicPartition],
    topics_of: Mapping[str, Collection[str]],
    loads: Mapping[TopicPartition, int],
) -> dict[str, list[TopicPartition]]:
    """Return what each member of `topics_of` reads; `loads` are events, by any measure, of the partitions that are known.

    The heaviest first, each to whoever has least so far: Graham's longest processing time, at most 4/3 of the best
    ("Bounds on Multiprocessing Timing Anomalies", 1969). Members never differ by more than one partition's load.
    """
    all_of_them = sorted(partitions, key=lambda p: (p.topic, p.partition))
    least = LEAST_SHARE * sum(loads.get(p, 0) for p in all_of_them) / max(1, len(all_of_them))
    weights = {p: max(float(loads.get(p, 0)), least) for p in all_of_them}
    given: dict[str, list[TopicPartition]] = {member: [] for member in sorted(topics_of)}
    carried = dict.fromkeys(given, 0.0)
    for partition in sorted(all_of_them, key=lambda p: -weights[p]):
        readers = [member for member in given if partition.topic in topics_of[member]]
        if readers:
            chosen = min(readers, key=lambda member: (carried[member], len(given[member])))
            given[chosen].append(partition)
            carried[chosen] += weights[partition]
    return given
