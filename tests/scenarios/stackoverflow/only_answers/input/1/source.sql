INSERT INTO posts (id, post_type_id, parent_id) VALUES (2, 2, 1), (3, 2, 1);
