INSERT INTO posts (id) VALUES (10), (30);
