INSERT INTO public.user_parse
SELECT '201', '77', 'player%20' || spot, factor * spot, '2021-08-16 20:00:00', factor * spot * 100.125, report, 'Goblin'
FROM (VALUES ('full', 1), ('later', 2), ('twice', 3)) AS reports (report, factor), generate_series(1, 8) AS spot;
