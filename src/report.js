// Slots over time: a row a slot, a bar a try.
const RESULT_FAILED = 1, RESULT_RETRIED = 2;
// By enum dr_how.
const HOWS = [", exit ", ", signal ", ", timed out", ", stopped", ", not started", ", its outputs were not taken"];

class Slots {
	constructor(run, tree) {
		const n = run.n;
		this.run = run;
		this.tree = tree;
		this.n = n;
		this.kind = column(run.how, n);
		for (const c of ["task", "slot", "start", "took", "result", "status", "tries", "peak"])
			this[c] = column(run[c], n);
		this.rows = this.slot.reduce((a, b) => Math.max(a, b), 0);
		this.slots = Array.from({ length: this.rows }, () => []);
		this.colours = tree.t.rows.map(row => "s" + run.stages.indexOf(row.stage) % 8);
		this.last = new Int32Array(tree.n).fill(-1);
		for (let i = 0; i < n; i++) {
			this.last[this.task[i]] = i;
			if (this.slot[i])
				this.slots[this.slot[i] - 1].push(i);
		}
	}

	seconds(units) {
		return units * this.run.unit_ns / 1e9;
	}

	label(row) {
		return ["slot " + (row + 1), count(this.slots[row].length)];
	}

	span(i) {
		return [this.start[i] / this.run.time, (this.start[i] + this.took[i]) / this.run.time];
	}

	// The first try of a slot that ends behind a time: they follow each other.
	first(tries, time) {
		let low = 0, high = tries.length;
		while (low < high) {
			const middle = (low + high) >> 1;
			if (this.start[tries[middle]] + this.took[tries[middle]] >= time)
				high = middle;
			else
				low = middle + 1;
		}
		return low;
	}

	colour(i) {
		if (this.result[i] === RESULT_FAILED || this.result[i] === RESULT_RETRIED)
			return "failed";
		return this.colours[this.tree.row[this.task[i]]];
	}

	draw(v, row, y) {
		const tries = this.slots[row], g = v.g, to = v.b * this.run.time;
		let was = -1;
		g.fillStyle = v.colours.raised;
		g.fillRect(v.left, y + 2, v.width, ROW - 4);
		for (let k = this.first(tries, v.a * this.run.time); k < tries.length && this.start[tries[k]] <= to; k++) {
			const i = tries[k], x = v.x(this.start[i] / this.run.time), end = v.x((this.start[i] + this.took[i]) / this.run.time);
			const colour = this.colour(i);
			// What is narrower than a pixel is drawn once, but for failures.
			if (end - x < 1 && Math.floor(x) === was && colour !== "failed")
				continue;
			was = Math.floor(x);
			g.globalAlpha = v.marked && !v.marked.has(i) ? 0.2 : 1;
			g.fillStyle = v.colours[colour];
			g.fillRect(x, y + 2, Math.max(1, end - x - (end - x > 3 ? 1 : 0)), ROW - 4);
			if (colour === "failed") {
				v.flag((x + end) / 2, y);
			} else if (end - Math.max(x, v.left) > 60) {
				const left = Math.max(x, v.left);
				g.fillStyle = v.colours.ink;
				g.font = "11px ui-monospace, Menlo, Consolas, monospace";
				v.text(this.tree.name[this.task[i]], left + 4, y + ROW / 2, Math.min(end, v.left + v.width) - left - 8);
			}
			g.globalAlpha = 1;
			if (i === v.chosen) {
				g.strokeStyle = v.colours.chosen;
				g.lineWidth = 2;
				g.strokeRect(x - 1, y + 1, Math.max(3, end - x + 1), ROW - 2);
			}
		}
	}

	at(u, row, room) {
		const tries = this.slots[row] || [], time = u * this.run.time;
		let best = -1, distance = Math.max(room * this.run.time, 0);
		for (let k = this.first(tries, time - distance); k < tries.length && this.start[tries[k]] <= time + distance; k++) {
			const i = tries[k], off = Math.max(this.start[i] - time, time - this.start[i] - this.took[i], 0);
			if (off <= distance) {
				best = i;
				distance = off;
			}
		}
		return best;
	}

	near(i, dx, dy) {
		const row = this.slot[i] - 1, tries = this.slots[row];
		if (dx)
			return tries[Math.max(0, Math.min(tries.length - 1, tries.indexOf(i) + dx))];
		if (row + dy < 0 || row + dy >= this.rows)
			return i;
		const next = this.at((this.start[i] + this.took[i] / 2) / this.run.time, row + dy, 1);
		return next < 0 ? i : next;
	}

	failures() {
		return [...this.result.keys()].filter(i => this.slot[i] && (this.result[i] === RESULT_FAILED || this.result[i] === RESULT_RETRIED));
	}

	find(text) {
		const found = new Set(this.tree.find(text));
		return [...this.task.keys()].filter(i => this.slot[i] && found.has(this.task[i]));
	}

	// What a failure came of; nothing where there was none.
	cause(i) {
		if (this.result[i] !== RESULT_FAILED && this.result[i] !== RESULT_RETRIED)
			return "";
		return HOWS[this.kind[i]] + (this.kind[i] < 2 ? this.status[i] : "");
	}

	more(i) {
		return ", " + duration(this.seconds(this.took[i])) + (this.slot[i] ? " in slot " + this.slot[i] : "") +
			" from " + duration(this.seconds(this.start[i])) + (this.tries[i] > 1 ? ", try " + this.tries[i] : "") +
			(this.peak[i] ? ", " + bytes(this.peak[i] * this.run.memory) + " of memory" : "");
	}

	describe(i) {
		return this.tree.name[this.task[i]] + ": " + this.run.results[this.result[i]] + this.cause(i) + this.more(i);
	}

	range(a, b) {
		return "From " + duration(this.seconds(a * this.run.time)) + " (left) to " + duration(this.seconds(b * this.run.time)) +
			" (right) after the run began; slots by their numbers, with how many tries each had.";
	}
}

if (data.run && data.run.n && tree) {
	const slots = new Slots(data.run, tree);
	tree.more = i => slots.last[i] < 0 ? "" : slots.cause(slots.last[i]) + slots.more(slots.last[i]);
	if (slots.rows)
		slots.view = new View(document.getElementById("slots"), "Slots over time", slots);
}

// Tables are sorted by the column whose head is pressed: what is largest first, names from a on.
function sortTable(table, at, head) {
	const body = table.tBodies[0], value = row => row.cells[at].dataset.k, numbers = body.rows[0] && value(body.rows[0]) !== undefined;
	const up = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "descending" : !numbers;
	const rows = [...body.rows].sort((a, b) => {
		const order = numbers ? value(a) - value(b) : a.cells[at].textContent.localeCompare(b.cells[at].textContent, undefined, { numeric: true });
		return up ? order : -order;
	});
	for (const th of table.tHead.rows[0].cells)
		th.removeAttribute("aria-sort");
	head.setAttribute("aria-sort", up ? "ascending" : "descending");
	body.append(...rows);
}

for (const table of document.querySelectorAll("table.sort")) {
	[...table.tHead.rows[0].cells].forEach((head, at) => {
		const button = element("button", { type: "button", title: "Sort by this column" }, head.textContent);
		button.addEventListener("click", () => sortTable(table, at, head));
		head.replaceChildren(button);
	});
}
