// The data, its columns as src/page.h has them.
const data = JSON.parse(document.getElementById("data").textContent);
const digit = new Uint8Array(128);
[..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"].forEach((c, i) => { digit[c.charCodeAt(0)] = i; });

function column(text, n) {
	const out = new Float64Array(n);
	let at = 0, i = 0, value = 0;
	const word = () => {
		let w = 0, unit = 1, d;
		do {
			d = digit[text.charCodeAt(at++)];
			w += (d & 31) * unit;
			unit *= 32;
		} while (d > 31);
		return w;
	};
	while (at < text.length && i < n) {
		const w = word();
		let run = w % 2 ? word() : 1;
		const z = Math.floor(w / 2), step = z % 2 ? -(z + 1) / 2 : z / 2;
		while (run-- > 0 && i < n)
			out[i++] = value += step;
	}
	return out;
}

function decodeNames(o, n) {
	const shared = column(o.shared, n), length = column(o.length, n), out = new Array(n);
	let at = 0, name = "";
	for (let i = 0; i < n; i++) {
		name = name.slice(0, shared[i]) + o.rest.slice(at, at + length[i]);
		at += length[i];
		out[i] = name;
	}
	return out;
}

// Words.
function count(n) {
	return String(n).replace(/\B(?=(\d{3})+$)/g, ",");
}

function duration(seconds) {
	const whole = Math.floor(seconds), two = x => String(x).padStart(2, "0");
	if (seconds < 1)
		return Math.floor(seconds * 1000) + "ms";
	if (seconds < 60)
		return seconds < 10 ? (Math.floor(seconds * 10) / 10).toFixed(1) + "s" : whole + "s";
	if (seconds < 3600)
		return Math.floor(whole / 60) + "m" + two(whole % 60) + "s";
	return Math.floor(whole / 3600) + ":" + two(Math.floor(whole / 60) % 60) + ":" + two(whole % 60);
}

function bytes(n) {
	let unit = 0;
	for (; n >= 1000 && unit < 6; unit++)
		n /= 1000;
	return (unit && n < 10 ? n.toFixed(1) : Math.round(n)) + " " + ["B", "kB", "MB", "GB", "TB", "PB", "EB"][unit];
}

function element(tag, attributes, ...inside) {
	const e = document.createElement(tag);
	for (const [key, value] of Object.entries(attributes || {}))
		e.setAttribute(key, value);
	e.append(...inside);
	return e;
}

// The colours of the scheme that is on.
function colours() {
	const style = getComputedStyle(document.documentElement);
	return new Proxy({}, { get: (was, name) => was[name] || (was[name] = style.getPropertyValue("--" + name).trim()) });
}

const ROW = 22, LEFT = 230, MOST_FOUND = 100;

// A picture that is wider than the window: [a, b] of it, both from 0 to 1, is seen. What is in it comes from `of`:
//   rows: how many; label(row): [text, text at its right]; describe(item), span(item): [from, to];
//   draw(view, row, y): paints one; at(x, row): the item there, or -1; near(item, dx, dy): the one beside it;
//   find(text): a list of items; range(a, b): what is seen of it, in words, where that says something.
class View {
	constructor(host, name, of) {
		this.of = of;
		this.a = 0;
		this.b = 1;
		this.chosen = -1;
		this.found = null;
		this.canvas = element("canvas", { tabindex: "0", role: "application", "aria-label": name, "aria-describedby": host.id + "-help" });
		this.says = element("p", { class: "says", role: "status" });
		host.replaceChildren(this.tools(name), this.canvas, this.says);
		if (of.range)
			this.says.before(this.range = element("p", { class: "soft" }));
		if (of.key)
			host.append(of.key());
		host.append(this.list = element("div", { class: "found" }));
		host.append(element("p", { class: "soft", id: host.id + "-help" },
			"Drag to pan, Ctrl and wheel or double click to zoom. By keyboard: + and - zoom, Shift and arrows pan, arrows go from task to task, Enter zooms in on it, 0 shows all, f goes to the next failure."));
		this.listen();
		this.resize();
	}

	tools(name) {
		const tools = element("div", { class: "tools" });
		const button = (text, label, fn) => {
			const b = element("button", { type: "button", "aria-label": label }, text);
			b.addEventListener("click", fn);
			tools.append(b);
		};
		const input = element("input", { type: "search", placeholder: "Search for a task", "aria-label": "Search for a task: " + name });
		let timer;
		input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => this.search(input.value), 120); });
		input.addEventListener("keydown", e => {
			if (e.key === "Enter" && this.found && this.found.length)
				this.go(this.found[(this.found.indexOf(this.chosen) + 1) % this.found.length]);
		});
		tools.append(input);
		button("+", "Zoom in: " + name, () => this.zoom(0.5));
		button("\u2212", "Zoom out: " + name, () => this.zoom(2));
		button("All", "Show all: " + name, () => this.show(0, 1));
		return tools;
	}

	listen() {
		const c = this.canvas;
		let drag = null;
		c.addEventListener("keydown", e => this.key(e));
		c.addEventListener("pointerdown", e => {
			drag = { x: e.clientX, a: this.a, b: this.b, moved: false };
			c.setPointerCapture(e.pointerId);
		});
		c.addEventListener("pointermove", e => {
			if (!drag) {
				this.hover(this.item(e));
				return;
			}
			const by = (drag.x - e.clientX) / this.width * (drag.b - drag.a);
			drag.moved = drag.moved || Math.abs(drag.x - e.clientX) > 3;
			if (drag.moved)
				this.show(drag.a + by, drag.b + by);
		});
		c.addEventListener("pointerup", e => {
			if (drag && !drag.moved)
				this.choose(this.item(e));
			drag = null;
		});
		c.addEventListener("pointercancel", () => { drag = null; });
		c.addEventListener("pointerleave", () => { this.tell(this.chosen); });
		c.addEventListener("dblclick", e => {
			const item = this.item(e);
			if (item >= 0)
				this.go(item);
		});
		c.addEventListener("wheel", e => {
			if (e.ctrlKey || e.metaKey)
				this.zoom(Math.exp(e.deltaY / 200), this.fraction(e));
			else if (Math.abs(e.deltaX) > Math.abs(e.deltaY))
				this.pan(e.deltaX / this.width);
			else
				return;
			e.preventDefault();
		}, { passive: false });
		new ResizeObserver(() => this.resize()).observe(c);
		matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.later());
	}

	resize() {
		// A canvas may not be as high as one likes.
		const height = this.of.rows * ROW + 8, dpr = Math.min(window.devicePixelRatio || 1, 16000 / height);
		this.full = this.canvas.clientWidth || 1000;
		this.left = Math.min(LEFT, this.full / 3);
		this.width = Math.max(50, this.full - this.left - 6);
		this.canvas.style.height = height + "px";
		this.canvas.width = this.full * dpr;
		this.canvas.height = height * dpr;
		this.dpr = dpr;
		this.later();
	}

	later() {
		if (!this.waits)
			requestAnimationFrame(() => this.draw());
		this.waits = true;
	}

	draw() {
		const g = this.g = this.canvas.getContext("2d"), c = this.colours = colours();
		this.waits = false;
		if (this.range)
			this.range.textContent = this.of.range(this.a, this.b);
		g.setTransform(this.dpr, 0, 0, this.dpr, 0, 0);
		g.fillStyle = c.back;
		g.fillRect(0, 0, this.full, this.canvas.height);
		g.textBaseline = "middle";
		for (let row = 0; row < this.of.rows; row++) {
			const y = 4 + row * ROW, [label, more] = this.of.label(row);
			g.save();
			g.beginPath();
			g.rect(this.left, y - 4, this.width + 2, ROW + 8);
			g.clip();
			this.of.draw(this, row, y);
			g.restore();
			g.fillStyle = c.text;
			g.font = "12px ui-monospace, Menlo, Consolas, monospace";
			this.text(label, 6, y + ROW / 2, this.left - 16 - g.measureText(more).width);
			g.textAlign = "right";
			g.fillText(more, this.left - 8, y + ROW / 2);
			g.textAlign = "left";
		}
	}

	// As much of a text as there is room for.
	text(text, x, y, room) {
		const g = this.g, wide = g.measureText("m").width, most = Math.floor(room / wide);
		if (most >= 3)
			g.fillText(text.length > most ? text.slice(0, most - 1) + "\u2026" : text, x, y);
	}

	// A failure is seen however narrow it is.
	flag(x, y) {
		const g = this.g;
		g.fillStyle = this.colours.failed;
		g.beginPath();
		g.moveTo(x - 4, y - 3);
		g.lineTo(x + 4, y - 3);
		g.lineTo(x, y + 4);
		g.fill();
	}

	x(u) {
		return this.left + (u - this.a) / (this.b - this.a) * this.width;
	}

	fraction(e) {
		return this.a + (e.clientX - this.canvas.getBoundingClientRect().left - this.left) / this.width * (this.b - this.a);
	}

	item(e) {
		const row = Math.floor((e.clientY - this.canvas.getBoundingClientRect().top - 4) / ROW), u = this.fraction(e);
		return row >= 0 && row < this.of.rows && u >= this.a && u <= this.b ? this.of.at(u, row, 2 * (this.b - this.a) / this.width) : -1;
	}

	show(a, b) {
		const width = Math.min(1, Math.max(1e-9, b - a));
		this.a = Math.min(1 - width, Math.max(0, a));
		this.b = this.a + width;
		this.later();
	}

	zoom(by, around = (this.a + this.b) / 2) {
		const width = Math.min(1, (this.b - this.a) * by), at = (around - this.a) / (this.b - this.a);
		this.show(around - at * width, around + (1 - at) * width);
	}

	pan(by) {
		const width = this.b - this.a;
		this.show(this.a + by * width, this.b + by * width);
	}

	tell(item) {
		this.says.textContent = item >= 0 ? this.of.describe(item) : "";
	}

	hover(item) {
		this.tell(item >= 0 ? item : this.chosen);
	}

	choose(item) {
		this.chosen = item;
		this.tell(item);
		this.later();
	}

	// Chooses an item, and has it in sight.
	look(item) {
		const [from, to] = this.of.span(item), width = this.b - this.a;
		if (to <= this.a || from >= this.b)
			this.show((from + to - width) / 2, (from + to + width) / 2);
		this.choose(item);
	}

	go(item) {
		const [from, to] = this.of.span(item), more = Math.max(to - from, 1e-9);
		this.show(from - more, to + more);
		this.choose(item);
	}

	key(e) {
		const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
		if (e.ctrlKey || e.metaKey || e.altKey)
			return;
		if (step && e.shiftKey)
			this.pan(step[0] * 0.2);
		else if (step)
			this.look(this.chosen < 0 ? this.of.at((this.a + this.b) / 2, 0, this.b - this.a) : this.of.near(this.chosen, ...step));
		else if (e.key === "+" || e.key === "=")
			this.zoom(0.5);
		else if (e.key === "-")
			this.zoom(2);
		else if (e.key === "0" || e.key === "Home")
			this.show(0, 1);
		else if (e.key === "Enter" && this.chosen >= 0)
			this.go(this.chosen);
		else if (e.key === "f")
			this.nextFailure();
		else
			return;
		e.preventDefault();
	}

	nextFailure() {
		const failures = this.of.failures();
		if (failures.length)
			this.go(failures[(failures.indexOf(this.chosen) + 1) % failures.length]);
		else
			this.says.textContent = "Nothing has failed.";
	}

	search(text) {
		const found = this.found = text ? this.of.find(text) : null;
		this.marked = found && new Set(found);
		this.list.replaceChildren();
		if (found) {
			const items = found.slice(0, MOST_FOUND).map(i => {
				const b = element("button", { type: "button" }, this.of.describe(i));
				b.addEventListener("click", () => this.go(i));
				return element("li", {}, b);
			});
			this.says.textContent = count(found.length) + (found.length === 1 ? " task has" : " tasks have") + " that in the name" +
				(found.length > MOST_FOUND ? "; the first " + MOST_FOUND + ":" : ".");
			this.list.append(element("ul", {}, ...items));
		}
		this.later();
	}
}
