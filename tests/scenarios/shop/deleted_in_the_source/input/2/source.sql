DELETE FROM transactions WHERE id = 2;
