-- What a target's or range's numbers count, and of money in which currency; null of those that were stated before it was kept.
alter table control.target add unit text, add currency text;
alter table control.industry_range add unit text, add currency text;
