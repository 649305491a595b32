INSERT INTO users SELECT 1, 'After', 'after@example.com', '', '2024-03-01', at FROM beginning;
