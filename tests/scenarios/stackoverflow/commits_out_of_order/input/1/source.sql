INSERT INTO posts (id) VALUES (2);
