INSERT INTO users VALUES
    (1, '', 'nobody@example.com', '', '2024-03-01', '2024-03-01'),
    (2, 'Bob', 'bob@example.com', NULL, '2024-03-01', '2024-03-01'),
    (3, 'NULL', 'null@example.com', E'Main Street 3\nSpringfield', '2024-03-01', '2024-03-01');
