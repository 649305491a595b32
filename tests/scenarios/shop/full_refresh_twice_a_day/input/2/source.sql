INSERT INTO users VALUES (3, 'Cid', 'cid@example.com', 'Main Street 3', '2024-03-02', '2024-03-02');
