INSERT INTO users VALUES (1, 'Late', 'late@example.com', '', '2024-03-01', now());
