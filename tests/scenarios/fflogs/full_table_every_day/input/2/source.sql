UPDATE public.user_parse SET parse = 95, dps = 110, date = '2021-08-17 09:00:00' WHERE characterid = 'bob%20b';
INSERT INTO public.user_parse VALUES ('201', '77', 'cid%20c', 60, '2021-08-17 10:00:00', 400, 'r2', 'Malboro');
