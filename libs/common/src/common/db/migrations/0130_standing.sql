-- How far a tenant's figures have come: the number of the last batch that changed any of them, by partition. Written in the batch's
-- own transaction, so that while nothing here moves, an answer made of the tenant's figures is what it was.
create table engine.standing (
  tenant_id int not null,
  partition int not null,
  batch_no  bigint not null,
  primary key (tenant_id, partition)
) with (fillfactor = 50); -- one narrow row, updated with every batch
-- What figures are made of besides: rates, counted up whenever any of them is told or corrected.
alter table control.tenant add rates_told bigint not null default 0;

create view published.standing as
  select tenant_id, partition, batch_no from engine.standing
  union all
  select id, -1, rates_told from control.tenant;
