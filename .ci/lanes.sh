# Lanes of a build, alone or several tracks of them side by side, and what they came to. Sourced with `logs` naming an empty
# directory; `end_lanes` belongs into the exit trap.
#
# Of a lane there is: NAME, its output; NAME.end, its exit code and seconds, or NAME.skipped, why it did not run; and
# NAME.pid while it runs.

# What hangs is ended: a build that its machine ends says nothing.
: "${lane_seconds:=4200}"

# lane NAME COMMAND…   The output is printed whole when the lane has ended, so that lanes side by side do not mix.
lane() {
  local name=$1 code=0 began=$SECONDS pid
  shift
  printf '%s\n' "$name" >> "$logs/.lanes"
  timeout --kill-after=60 "$lane_seconds" "$@" < /dev/null > "$logs/$name" 2>&1 &
  pid=$!
  printf '%d\n' "$pid" > "$logs/$name.pid"
  wait "$pid" || code=$?
  rm "$logs/$name.pid"
  [ "$code" -ne 124 ] || printf 'FAIL  not at its end after %d s\n' "$lane_seconds" >> "$logs/$name"
  printf '%d %d\n' "$code" $((SECONDS - began)) > "$logs/$name.end"
  print_lane "$name"
}

print_lane() {
  (
    flock 9
    printf '\n=== %s\n' "$1"
    cat "$logs/$1"
  ) 9> "$logs/.printing"
}

# lane_if PROBE NAME COMMAND…   A lane that needs more of the machine than others do. Where the probe says that it is not
# there, the summary says so: it did not pass.
lane_if() {
  local probe=$1 name=$2 why
  shift
  if why=$("$probe" 2>&1); then
    lane "$@"
  else
    printf '%s\n' "$name" >> "$logs/.lanes"
    printf 'this machine cannot run it: %s\n' "$why" > "$logs/$name.skipped"
  fi
}

# side_by_side TRACK…   Functions that run a sequence of lanes each. One that breaks off has failed, whatever its lanes say.
side_by_side() {
  local track tracks=()
  for track in "$@"; do
    "$track" &
    tracks+=("$!" "$track")
  done
  set -- "${tracks[@]}"
  while [ $# -gt 0 ]; do
    wait "$1" || lane "track-$2" sh -c "echo 'FAIL  it broke off: lanes are missing'; exit 1"
    shift 2
  done
}

# For the exit trap: nothing goes on that nobody waits for. Tracks first: they would begin their next lanes.
end_lanes() {
  local file
  jobs -p | xargs -r kill || true
  for file in "$logs"/*.pid; do
    [ ! -e "$file" ] || kill "$(cat "$file")" || true
  done
}

# counts NAME   "passed failed", from the command's own words: vitest's "Tests  1 failed | 2 passed (3)", or lines
# "N passed, N failed". A lane that says neither counts as one.
counts() {
  local code ok bad
  read -r code _ < "$logs/$1.end"
  read -r ok bad < <(awk '
    /^ *Tests +.*\([0-9]+\)/ {
      for (i = 2; i <= NF; i++) { if ($i == "passed") ok += $(i - 1); if ($i ~ /^failed/) bad += $(i - 1) }
    }
    /^[0-9]+ passed, [0-9]+ failed/ { ok += $1; bad += $3 }
    END { print ok + 0, bad + 0 }' "$logs/$1")
  if [ "$code" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
  if [ "$code" -eq 0 ] && [ $((ok + bad)) -eq 0 ]; then ok=1; fi
  printf '%d %d\n' "$ok" "$bad"
}

# The end of the log is what is kept of a long one: here is why each lane failed, and what replays it.
failures() {
  local name bad began=
  while read -r name; do
    [ -e "$logs/$name.end" ] || continue
    read -r _ bad < <(counts "$name")
    [ "$bad" -gt 0 ] || continue
    [ -n "$began" ] || printf '\n=== failures\n'
    began=yes
    printf -- '--- %s\n' "$name"
    why_failed "$logs/$name" | cut -c 1-300
  done < "$logs/.lanes"
}

# why_failed FILE   The first failures with what was said of them (a static check says it before its verdict), or the last
# words; and how it was dealt.
why_failed() {
  {
    grep -B 15 -m 5 '^FAILED' "$1" || true
    grep -A 15 -m 10 -E '^ *FAIL ' "$1" || true
  } | head -n 100 | grep . || tail -n 15 "$1"
  dealt "$1"
}

# dealt FILE   Seeds and what was counted.
dealt() {
  grep -m 5 -E '^ledger: |^[a-z-]+: seed [0-9a-f]+; ' "$1" || true
}

# Prints the failures and the summary; fails if any lane did.
summary() {
  local name ok bad seconds passed=0 failed=0
  failures
  printf '\n=== summary\n'
  while read -r name; do
    if [ -e "$logs/$name.skipped" ]; then
      printf '%s: skipped: %s\n' "$name" "$(cat "$logs/$name.skipped")"
      continue
    fi
    read -r ok bad < <(counts "$name")
    read -r _ seconds < "$logs/$name.end"
    printf '%s: %d passed, %d failed (%d s)\n' "$name" "$ok" "$bad" "$seconds"
    dealt "$logs/$name" | sed 's/^/  /'
    passed=$((passed + ok))
    failed=$((failed + bad))
  done < "$logs/.lanes"
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ]
}
