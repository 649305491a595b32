INSERT INTO public.posts (id, title, body, tags) VALUES (1, 'only the table has this title', 'only the table has this body', 'only-the-table');
