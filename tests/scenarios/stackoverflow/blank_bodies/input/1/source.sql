INSERT INTO posts (id, body) VALUES (1, ''), (2, '   '), (3, E'\n\t\r'), (4, U&'\00A0\3000'), (5, NULL), (6, ' . ');
