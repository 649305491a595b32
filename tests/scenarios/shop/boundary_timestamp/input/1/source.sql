INSERT INTO users SELECT 2, 'Before', 'before@example.com', '', '2024-03-01', at FROM beginning;
