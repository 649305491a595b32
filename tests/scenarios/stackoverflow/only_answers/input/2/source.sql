INSERT INTO posts (id, title) VALUES (4, 'NaN'), (5, 'NULL');
