INSERT INTO users VALUES
    (1, 'Ann', 'ann@example.com', 'Main Street 1', '2024-03-01', '2024-03-01'),
    (2, 'Bob', 'not an address', 'Main Street 2', '2024-03-01', '2024-03-01');
INSERT INTO transactions VALUES (1, 1, 12.50, 'purchase', '2024-03-01', '2024-03-01');
