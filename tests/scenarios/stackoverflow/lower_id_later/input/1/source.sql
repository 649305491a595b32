INSERT INTO posts (id) VALUES (20);
