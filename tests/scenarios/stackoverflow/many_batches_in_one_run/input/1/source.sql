INSERT INTO posts (id) VALUES (1), (2), (30), (40), (500);
