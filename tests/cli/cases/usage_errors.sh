# Wrong usage: one line, code 2, and a suggestion for a mistyped verb or option.
fails 2 "unknown verb 'clasify'" "$dws" clasify x
grep -q "did you mean 'classify'?" fails.err
fails 2 "unknown verb 'inpsect'" "$dws" --threads 1 inpsect
fails 2 "unknown option '--epoch'" "$dws" train --data x -o y --epoch 3
grep -q "did you mean '--epochs'?" fails.err
fails 2 "unknown option '--thread'" "$dws" inspect x --thread=3
fails 2 "--data" "$dws" train -o y
fails 2 "whole number" "$dws" train --data x -o y --epochs many
fails 2 "--lr" "$dws" train --data x -o y --lr=-1
fails 2 "--threads" "$dws" --threads -3 inspect x
fails 2 "unknown progress mode" "$dws" inspect x --progress sometimes
fails 2 "this version trains classifiers" "$dws" train --data x -o y --task regress
code=0
"$dws" >out.txt 2>err.txt || code=$?
test $code = 2
test ! -s out.txt
grep -q "a verb is missing" err.txt
fails 2 "--split" "$dws" train --data x -o y --split 0.9,0.9
