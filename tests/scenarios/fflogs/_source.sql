CREATE TABLE public.user_parse (
    zone varchar(10),
    bossencounter varchar(20),
    characterid varchar(50),
    parse int,
    date timestamp,
    dps numeric(8, 3),
    uniqueid varchar(30),
    server varchar(20)
);
