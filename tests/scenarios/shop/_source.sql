CREATE TABLE public.users (
    id bigint PRIMARY KEY,
    name text,
    email text,
    address text,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL
);
CREATE TABLE public.transactions (
    id bigint PRIMARY KEY,
    user_id bigint,
    amount numeric(10,2),
    transaction_type text,
    created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL
);
-- When the story begins: a time that rows of several transactions can have in common.
CREATE TABLE public.beginning AS SELECT now()::timestamp AS at;
