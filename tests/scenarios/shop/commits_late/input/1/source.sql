INSERT INTO users VALUES (2, 'Prompt', 'prompt@example.com', '', '2024-03-01', now());
