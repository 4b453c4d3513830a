"""Survey answers, and what they change in the NPS measures."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from kpi_engine.adapters.trait_store import Flip
from kpi_engine.domain import answers as nps
from kpi_engine.domain.answers import Answer
from kpi_engine.domain.answers_moved import Scored
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.buckets import LocalTime, day_number, instant
from kpi_engine.domain.facts import SurveyAnswer
from kpi_engine.ports.connection import Connection

_INSERT = """
insert into engine.answer (tenant_id, account_id, person_id, answered_at, source, event_id, survey, kind, wave,
  transactional, score, comment)
select %(tenant_id)s, t.* from unnest(%(accounts)s::int8[], %(persons)s::int8[], %(at)s::timestamptz[], %(sources)s::text[],
  %(ids)s::text[], %(surveys)s::text[], %(kinds)s::text[], %(waves)s::text[], %(transactional)s::bool[],
  %(scores)s::numeric[], %(comments)s::text[]) as t
on conflict do nothing
"""
_SELECT = """
select p.person_id, a.answered_at, a.source, a.event_id, a.score
from unnest(%(accounts)s::int8[], %(persons)s::int8[], %(first)s::timestamptz[], %(last)s::timestamptz[])
  as p(account_id, person_id, first, last)
cross join lateral (
  select * from engine.answer a where a.account_id = p.account_id and a.person_id = p.person_id
    and a.answered_at between p.first and p.last and a.kind = 'nps' and not a.transactional
) as a
"""
_DELETE = """
delete from engine.answer a using unnest(%(accounts)s::int8[], %(persons)s::int8[], %(at)s::timestamptz[], %(sources)s::text[],
  %(ids)s::text[]) as d(account, person, at, source, id)
where a.account_id = d.account and a.person_id = d.person and a.answered_at = d.at and a.source = d.source and a.event_id = d.id
"""
_NEXT_ACCOUNTS = """
select id, partition from engine.account where tenant_id = %(tenant_id)s and partition = any(%(partitions)s) and id > %(after)s
order by id limit 1000
"""
_OF_ACCOUNTS = """
select a.account_id, a.person_id, a.answered_at, a.source, a.event_id, a.score
from engine.answer a join engine.person p on p.id = a.person_id
where a.account_id = any(%(accounts)s) and a.kind = 'nps' and not a.transactional and not p.is_internal
"""
_OF_PEOPLE = """
select a.account_id, a.person_id, a.answered_at, a.kind, a.survey, a.score
from unnest(%(accounts)s::int8[], %(persons)s::int8[]) as p(account_id, person_id)
cross join lateral (select * from engine.answer a where a.account_id = p.account_id and a.person_id = p.person_id) as a
"""
# An answer matters to another one at most so far away; two days more than that for any zone's offset.
_REACH = timedelta(days=nps.VALID_DAYS + 2)

PersonDeltas = dict[tuple[str, int], int]


def add_answers(
    conn: Connection, batch: TenantBatch, answers: Sequence[SurveyAnswer], local: LocalTime
) -> dict[int, PersonDeltas]:
    """Stores answers. Returns per person id what they change; whether the person counts is the caller's business."""
    deltas = deltas_of_new(conn, batch, answers, local)
    if answers:
        _insert(conn, batch, answers)
    return deltas


def deltas_of_new(
    conn: Connection, batch: TenantBatch, answers: Sequence[SurveyAnswer], local: LocalTime
) -> dict[int, PersonDeltas]:
    """What answers that aren't stored yet change, per person id."""
    new: dict[int, list[Answer]] = defaultdict(list)
    account_of: dict[int, int] = {}
    for answer in answers:
        if nps.is_relationship_nps(answer.kind, transactional=answer.transactional):
            index = answer.index
            person = int(batch.person_ids[index])
            at = instant(int(batch.event_at_us[index]))
            day = day_number(local.day_at(at))
            new[person].append(Answer(at, batch.sources[index], batch.ids[index], day, answer.score))
            account_of[person] = int(batch.account_ids[index])
    known = _around(conn, new, account_of, local)
    deltas: dict[int, PersonDeltas] = {}
    for person, added in new.items():
        before = known.get(person, [])
        deltas[person] = _difference(nps.deltas_of([*before, *added]), nps.deltas_of(before))
    return deltas


def deltas_of_removed(
    conn: Connection, batch: TenantBatch, answers: Sequence[SurveyAnswer], local: LocalTime
) -> dict[tuple[int, int], PersonDeltas]:
    """What taking stored answers away changes, per account and person; they must still be stored."""
    gone: dict[int, list[Answer]] = defaultdict(list)
    account_of: dict[int, int] = {}
    for answer in answers:
        if nps.is_relationship_nps(answer.kind, transactional=answer.transactional):
            index = answer.index
            person, at = int(batch.person_ids[index]), instant(int(batch.event_at_us[index]))
            day = day_number(local.day_at(at))
            gone[person].append(Answer(at, batch.sources[index], batch.ids[index], day, answer.score))
            account_of[person] = int(batch.account_ids[index])
    known = _around(conn, gone, account_of, local)
    deltas: dict[tuple[int, int], PersonDeltas] = {}
    for person, removed in gone.items():
        before = known.get(person, [])
        names = {(answer.at, answer.source, answer.id) for answer in removed}
        after = [answer for answer in before if (answer.at, answer.source, answer.id) not in names]
        deltas[account_of[person], person] = _difference(nps.deltas_of(after), nps.deltas_of(before))
    return deltas


def remove_answers(conn: Connection, batch: TenantBatch, answers: Sequence[SurveyAnswer]) -> None:
    indices = [answer.index for answer in answers]
    if not indices:
        return
    parameters = {
        "accounts": batch.account_ids[indices].tolist(),
        "persons": batch.person_ids[indices].tolist(),
        "at": [instant(at_us) for at_us in batch.event_at_us[indices].tolist()],
        "sources": [batch.sources[i] for i in indices],
        "ids": [batch.ids[i] for i in indices],
    }
    conn.execute(_DELETE, parameters)


def deltas_of_people(conn: Connection, flips: Iterable[Flip], local: LocalTime) -> dict[int, PersonDeltas]:
    """What all stored answers of these people amount to."""
    people = {flip.person_id: flip.account_id for flip in flips}
    everything = instant(-(1 << 55)), instant(1 << 57)
    known = _select(conn, people, dict.fromkeys(people, everything), local)
    return {person: nps.deltas_of(answers) for person, answers in known.items()}


def answers_of_people(
    conn: Connection, flips: Iterable[Flip], local: LocalTime
) -> Iterator[tuple[Scored, int, int]]:
    """Yield of each stored answer of these people, of every kind: as what it counts, its account, its person."""
    people = [(flip.account_id, flip.person_id) for flip in flips]
    parameters = {"accounts": [account for account, _ in people], "persons": [person for _, person in people]}
    for account, person, at, kind, survey, score in conn.execute(_OF_PEOPLE, parameters):
        yield Scored(day_number(local.day_at(at)), kind, survey, score), account, person


def deltas_of_partitions(
    conn: Connection, tenant_id: int, partitions: Sequence[int], local: LocalTime
) -> Iterator[tuple[int, int, PersonDeltas]]:
    """Yield account, partition and what all stored answers of one of its people amount to, of people who count."""
    account = 0
    while rows := conn.execute(
        _NEXT_ACCOUNTS, {"tenant_id": tenant_id, "partitions": list(partitions), "after": account}
    ).fetchall():
        account = rows[-1][0]
        home_of = {int(account_id): int(partition) for account_id, partition in rows}
        by_person: dict[tuple[int, int], list[Answer]] = defaultdict(list)
        for of, person, at, source, event_id, score in conn.execute(
            _OF_ACCOUNTS, {"accounts": list(home_of)}
        ):
            by_person[of, person].append(Answer(at, source, event_id, day_number(local.day_at(at)), score))
        for (of, _), answers in by_person.items():
            yield of, home_of[of], nps.deltas_of(answers)


def _around(
    conn: Connection, new: Mapping[int, list[Answer]], account_of: Mapping[int, int], local: LocalTime
) -> dict[int, list[Answer]]:
    spans = {person: (min(added).at - _REACH, max(added).at + _REACH) for person, added in new.items()}
    return _select(conn, account_of, spans, local)


def _select(
    conn: Connection,
    account_of: Mapping[int, int],
    spans: Mapping[int, tuple[object, object]],
    local: LocalTime,
) -> dict[int, list[Answer]]:
    if not spans:
        return {}
    parameters = {
        "accounts": [account_of[person] for person in spans],
        "persons": list(spans),
        "first": [first for first, _ in spans.values()],
        "last": [last for _, last in spans.values()],
    }
    known: dict[int, list[Answer]] = defaultdict(list)
    for person, at, source, event_id, score in conn.execute(_SELECT, parameters):
        known[person].append(Answer(at, source, event_id, day_number(local.day_at(at)), score))
    return known


def _insert(conn: Connection, batch: TenantBatch, answers: Sequence[SurveyAnswer]) -> None:
    parameters = {
        "tenant_id": batch.tenant_id,
        "accounts": [int(batch.account_ids[answer.index]) for answer in answers],
        "persons": [int(batch.person_ids[answer.index]) for answer in answers],
        "at": [instant(int(batch.event_at_us[answer.index])) for answer in answers],
        "sources": [batch.sources[answer.index] for answer in answers],
        "ids": [batch.ids[answer.index] for answer in answers],
        "surveys": [answer.survey for answer in answers],
        "kinds": [answer.kind for answer in answers],
        "waves": [answer.wave for answer in answers],
        "transactional": [answer.transactional for answer in answers],
        "scores": [answer.score for answer in answers],
        "comments": [answer.comment for answer in answers],
    }
    conn.execute(_INSERT, parameters)


def _difference(after: PersonDeltas, before: PersonDeltas) -> PersonDeltas:
    keys = after.keys() | before.keys()
    changes = {key: after.get(key, 0) - before.get(key, 0) for key in keys}
    return {key: change for key, change in changes.items() if change}
