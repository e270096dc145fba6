#!/bin/sh
# git.sh - repositories made, cloned, repacked and checked: children, pipes,
# threads (pack-objects, grep, index), pagers that leave early, hooks.
# shellcheck disable=SC2016,SC3045,SC2012,SC2126
export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='1700000000 +0000' \
	GIT_COMMITTER_DATE='1700000000 +0000' GIT_TERMINAL_PROMPT=0 \
	GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@localhost GIT_COMMITTER_NAME=c \
	GIT_COMMITTER_EMAIL=c@localhost
git config --global init.defaultBranch main
git config --global protocol.file.allow always
git config --global uploadpack.allowFilter true
git config --global pack.threads 4
git config --global gc.autoDetach false

git init -q one && cd one || exit
i=0
while [ $i -lt 12 ]; do
	i=$((i + 1))
	mkdir -p "dir$((i % 7))"
	seq $i $((i + 400)) >"dir$((i % 7))/file$i"
	echo $i >>common
	git add -A && git commit -qm "commit $i"
done
git tag -a -m tagged v1
git log --oneline | tail -n 3
git log -p | head -n 1
git rev-parse HEAD

git checkout -qb side HEAD~3
sed -i s/3/three/ common
git commit -qam 'on the side'
git merge -q -m merged main 2>&1; echo "merge $?"
git checkout -q --theirs common 2>/dev/null; git add -A
git commit -qm 'merge resolved'; git rebase -q main 2>&1; echo "rebase $?"
git status --short; git rebase --abort 2>/dev/null
git diff --stat main | tail -n 1
git stash list; echo x >>common; git stash -q; git stash pop -q; git checkout -q .
git blame -s common | sort | uniq -c | wc -l
git grep -c 77 main | sort | md5sum
git shortlog -s main; git describe --always --tags main

cd ..
for how in "--no-tags" --bare "--depth 3" --filter=blob:none; do
	name=clone$(echo "$how" | tr -dc '[:lower:]')
	# shellcheck disable=SC2086
	git clone -q $how "file://$PWD/one" "$name" 2>&1
	git -C "$name" fsck --full 2>&1 | sort
	git -C "$name" rev-list --all --objects | wc -l
done
git -C clonenotags worktree add -q ../tree v1 2>/dev/null; ls tree | wc -l
git clone -q --recurse-submodules one super && cd super &&
	git submodule -q add "file://$PWD/../one" inner &&
	git submodule status | cut -c1-41
cd ../one || exit
git gc -q --aggressive --prune=now; git count-objects -v | grep -c .
git repack -qadf --threads=4; git fsck --full --strict 2>&1 | sort
git verify-pack -v .git/objects/pack/*.idx | tail -n 1 | wc -l
git archive --format=tar.gz main | gunzip | tar t | wc -l
git bundle create -q ../bundle --all && git bundle verify -q ../bundle 2>&1
git fast-export --all | git -C ../clonebare fast-import --quiet --force
git bisect start main main~9 >/dev/null 2>&1
git bisect run sh -c '[ "$(wc -l <common)" -lt 8 ]' | grep 'first bad' | wc -l
git bisect reset >/dev/null 2>&1

printf '#!/bin/sh\nkill -TERM $PPID\nsleep 5\n' >.git/hooks/pre-commit
chmod +x .git/hooks/pre-commit
echo y >>common; git commit -qam 'never made'; echo "killed: $?"
rm .git/hooks/pre-commit .git/index.lock 2>/dev/null
git push -q ../clonebare main:refs/heads/pushed 2>&1; echo "push $?"
git daemon --version >/dev/null 2>&1; git nonsense 2>&1 | head -n 1
(ulimit -Sf 1; trap '' XFSZ; git gc -q --aggressive 2>/dev/null); echo "full: $?"
git fsck --full 2>&1 | sort
