ALTER TABLE users DROP CONSTRAINT users_pkey;
INSERT INTO users VALUES
    (1, 'Ann', 'ann@example.com', 'New Street 1', '2024-03-01', '2024-03-01 12:00:00'),
    (1, 'Ann', 'ann@example.com', 'Old Street 9', '2024-03-01', '2024-03-01 11:00:00'),
    (2, 'Bob', 'bob@example.com', 'Old Street 8', '2024-03-01', '2024-03-01 11:00:00'),
    (2, 'Bob', 'bob@example.com', 'New Street 2', '2024-03-01', '2024-03-01 12:00:00');
