ALTER TABLE transactions RENAME COLUMN price TO amount;
