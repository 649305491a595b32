INSERT INTO users VALUES (1, 'Ann', 'ann@example.com', '', '2024-03-01', '2024-03-01');
INSERT INTO transactions VALUES
    (1, 1, 12.50, 'purchase', '2024-03-01', '2024-03-01'),
    (2, 1, 7.00, 'purchase', '2024-03-01', '2024-03-01');
