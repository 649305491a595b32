CREATE TABLE public.posts (
    id bigint PRIMARY KEY,
    post_type_id smallint NOT NULL DEFAULT 1,
    parent_id bigint,
    title text,
    body text DEFAULT 'text',
    tags text,
    score integer NOT NULL DEFAULT 0,
    owner_user_id bigint,
    creation_date timestamp NOT NULL DEFAULT '2024-03-01'
);
