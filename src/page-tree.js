// The tree: a row a stage or merge round, a task as wide as the leaves below it.
const LOOKS = ["", "clean", "waiting", "waiting", "running", "done", "failed", "skipped"];
const HEIGHTS = [0, 11, 4, 4, 14, 14, 14, 4];
// Of several tasks in a pixel the one shows that is least finished.
const RANKS = [0, 2, 5, 5, 6, 3, 1, 4];
const FAILED = 6;

class Tree {
	constructor(t) {
		const n = t.n;
		this.t = t;
		this.n = n;
		this.rows = t.rows.length;
		this.from = column(t.from, n);
		this.wide = column(t.width, n);
		this.state = column(t.state, n);
		this.last = column(t.last, n);
		this.name = decodeNames(t.names, n);
		this.path = new Set(column(t.path, t.n_path));
		this.row = new Uint32Array(n);
		let at = 0;
		t.rows.forEach((row, r) => {
			row.first = at;
			for (let i = 0; i < row.n; i++, at++)
				this.row[at] = r;
			this.order(row);
		});
	}

	// From left to right, and how far those up to each reach: what is seen is found without looking at all.
	order(row) {
		const order = Array.from({ length: row.n }, (x, i) => row.first + i);
		let reach = 0;
		if (order.some((x, i) => i && this.from[x] < this.from[x - 1]))
			order.sort((x, y) => this.from[x] - this.from[y] || x - y);
		row.order = order;
		row.reach = order.map(i => { reach = Math.max(reach, this.from[i] + this.wide[i]); return reach; });
	}

	label(r) {
		const row = this.t.rows[r];
		let finished = 0;
		for (let i = row.first; i < row.first + row.n; i++)
			finished += this.state[i] === 1 || this.state[i] === 5;
		row.label = row.label || [row.stage + (row.round ? " round " + row.round : ""), count(finished) + "/" + count(row.n)];
		return row.label;
	}

	span(i) {
		const width = this.t.rows[this.row[i]].width;
		return [this.from[i] / width, (this.from[i] + this.wide[i]) / width];
	}

	// The first of a row's order that reaches beyond a leaf.
	first(row, leaf) {
		let low = 0, high = row.n;
		while (low < high) {
			const middle = (low + high) >> 1;
			if (row.reach[middle] > leaf)
				high = middle;
			else
				low = middle + 1;
		}
		return low;
	}

	draw(v, r, y) {
		const row = this.t.rows[r], from = v.a * row.width, to = v.b * row.width, cells = new Int8Array(Math.ceil(v.width) + 1).fill(0);
		const marks = [];
		let narrow = false;
		for (let k = this.first(row, from); k < row.n && this.from[row.order[k]] < to; k++) {
			const i = row.order[k], x = v.x(this.from[i] / row.width), end = v.x((this.from[i] + this.wide[i]) / row.width);
			const shown = !v.marked || v.marked.has(i);
			if (end < v.left)
				continue;
			if (end - x < 1.2) {
				const cell = Math.max(0, Math.min(cells.length - 1, Math.floor(x - v.left)));
				narrow = true;
				if (shown && RANKS[this.state[i]] > RANKS[cells[cell]])
					cells[cell] = this.state[i];
			} else {
				this.node(v, i, x, end, y, shown);
			}
			if (this.state[i] === FAILED || this.path.has(i) || i === v.chosen)
				marks.push([i, x, end]);
		}
		if (narrow)
			this.cells(v, cells, y);
		for (const [i, x, end] of marks)
			this.mark(v, i, x, end, y);
	}

	bar(v, state, x, width, y) {
		const g = v.g, height = HEIGHTS[state];
		g.fillStyle = v.colours[LOOKS[state]];
		g.fillRect(x, y + (ROW - height) / 2 + 1, width, height);
	}

	node(v, i, x, end, y, shown) {
		const g = v.g, gap = Math.min(1, (end - x) / 5), state = this.state[i], left = Math.max(x, v.left);
		g.globalAlpha = shown ? 1 : 0.2;
		this.bar(v, state, x, end - x - gap, y);
		if (state === 4) {
			g.fillStyle = v.colours.back;
			for (let s = left; s < Math.min(end, v.left + v.width) - 8; s += 12)
				g.fillRect(s + 8, y + 4, 2, ROW - 6);
		}
		if (end - left > 50 && HEIGHTS[state] >= 9) {
			g.fillStyle = v.colours[state === 1 || state === 4 ? "ink" : "back"];
			g.font = "11px ui-monospace, Menlo, Consolas, monospace";
			v.text(this.name[i], left + 4, y + ROW / 2 + 1.5, Math.min(end, v.left + v.width) - left - 8);
		}
		g.globalAlpha = 1;
	}

	cells(v, cells, y) {
		for (let from = 0, to; from < cells.length; from = to) {
			for (to = from + 1; to < cells.length && cells[to] === cells[from]; to++)
				;
			if (cells[from])
				this.bar(v, cells[from], v.left + from, to - from, y);
		}
	}

	mark(v, i, x, end, y) {
		const g = v.g, middle = (x + end) / 2;
		if (this.path.has(i)) {
			g.fillStyle = v.colours.path;
			g.fillRect(x, y + 3, Math.max(2, end - x - 1), 2);
		}
		if (this.state[i] === FAILED) {
			v.flag(middle, y);
		}
		if (i === v.chosen) {
			g.strokeStyle = v.colours.chosen;
			g.lineWidth = 2;
			g.strokeRect(x - 1, y + 2, Math.max(3, end - x + 1), ROW - 2);
		}
	}

	at(u, r, room) {
		const row = this.t.rows[r], leaf = u * row.width;
		let best = -1, distance = room * row.width;
		for (let k = this.first(row, leaf - distance); k < row.n; k++) {
			const i = row.order[k], off = Math.max(this.from[i] - leaf, leaf - this.from[i] - this.wide[i], 0);
			if (this.from[i] > leaf + distance)
				break;
			if (off <= distance && (best < 0 || off < distance)) {
				best = i;
				distance = off;
			}
		}
		return best;
	}

	near(i, dx, dy) {
		const r = this.row[i], row = this.t.rows[r], to = this.t.rows[r + dy], [from, end] = this.span(i);
		if (dx)
			return row.order[Math.max(0, Math.min(row.n - 1, row.order.indexOf(i) + dx))];
		if (!to)
			return i;
		const next = this.at(dy < 0 ? (from + end) / 2 : from, r + dy, 1);
		return next < 0 ? i : next;
	}

	failures() {
		return [...this.state.keys()].filter(i => this.state[i] === FAILED);
	}

	find(text) {
		const low = text.toLowerCase(), found = [];
		for (let i = 0; i < this.n; i++)
			if (this.name[i].toLowerCase().includes(low))
				found.push(i);
		return found;
	}

	describe(i) {
		const more = this.more ? this.more(i) : this.last[i] ? ", took " + duration(this.last[i] / 1000) + " last time" : "";
		return this.name[i] + ": " + this.t.states[this.state[i]] + ", " + this.label(this.row[i])[0] + more +
			(this.path.has(i) ? ", on the longest path" : "");
	}

	key() {
		const key = element("p", { class: "key" }), seen = new Set(this.state);
		for (const s of [1, 5, 4, 2, 6, 7]) {
			const sample = element("i");
			if (!seen.has(s))
				continue;
			sample.style.cssText = "height:" + HEIGHTS[s] + "px;background:var(--" + LOOKS[s] + ")";
			key.append(element("span", {}, sample, this.t.states[s]));
		}
		if (this.path.size) {
			const sample = element("i");
			sample.style.cssText = "height:2px;background:var(--path)";
			key.append(element("span", {}, sample, "longest path: " + count(this.path.size) + (this.path.size === 1 ? " task" : " tasks")));
		}
		return key;
	}
}

let tree = null;
if (data.tree && data.tree.n) {
	tree = new Tree(data.tree);
	tree.view = new View(document.getElementById("tree"), "The tree", tree);
}
