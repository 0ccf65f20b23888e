#!/bin/bash
# examples/video: the joined film has every frame of every piece, in order.
. "$srcdir/tests/e2e/example.sh"

if ! command -v ffmpeg >/dev/null || ! command -v ffprobe >/dev/null; then
	echo 'SKIPPED: there is no ffmpeg here'
	exit 77
fi

# frames FILE…: a hash for each frame of the picture
frames()
{
	local file
	for file; do
		ffmpeg -v error -i "$file" -f framemd5 - | awk -F ', *' '!/^#/ { print $NF }'
	done
}

example video
readme
frames pieces/*.ts >../of-pieces
[ "$(wc -l <../of-pieces)" = 200 ] || fail 'a frame for each 25th of a second'
frames video.mp4 | cmp - ../of-pieces || fail 'the frames of the pieces'
run -j4
says 'nothing to do (10 up to date)'
