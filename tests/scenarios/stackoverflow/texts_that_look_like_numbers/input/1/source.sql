INSERT INTO posts (id, title, body, tags) VALUES (1, '007', '0123', '1.0'), (2, '1e3', 'true', '-0');
