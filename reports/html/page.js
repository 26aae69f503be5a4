'use strict';
// The page is complete without this. It adds a choice of light and dark, filters, a closer look at the picture, and copying.
(() => {
	const one = (q, at = document) => at.querySelector(q);
	const all = (q, at = document) => [...at.querySelectorAll(q)];

	// Light or dark, kept for the next page where the browser keeps anything.
	const root = document.documentElement, theme = one('#theme');
	const keep = (v) => { try { localStorage.setItem('gatepost-theme', v); } catch { /* a page from a mail keeps nothing */ } };
	const kept = () => { try { return localStorage.getItem('gatepost-theme'); } catch { return null; } };
	const isDark = () => (root.dataset.theme || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
	const showTheme = () => { theme.textContent = isDark() ? 'light' : 'dark'; };
	if (['dark', 'light'].includes(kept())) root.dataset.theme = kept();
	theme.hidden = false;
	theme.onclick = () => { root.dataset.theme = isDark() ? 'light' : 'dark'; keep(root.dataset.theme); showTheme(); };
	showTheme();

	// Copy what stands before the button.
	for (const b of all('.copy')) {
		b.hidden = false;
		b.onclick = async () => {
			const pre = one('pre', b.parentNode);
			try {
				await navigator.clipboard.writeText(pre.textContent);
				b.textContent = 'copied';
			} catch {
				getSelection().selectAllChildren(pre);
				b.textContent = document.execCommand('copy') ? 'copied' : 'selected';
			}
			setTimeout(() => { b.textContent = 'copy'; }, 2000);
		};
	}

	// Filters: an outage is shown when it has every chosen value, and of its failures those that have.
	const form = one('.filters');
	if (form) {
		const fits = (el, chosen) => chosen.every(([k, v]) => (el.dataset[k] || '').split('\n').includes(v));
		const filter = () => {
			const chosen = all('select', form).filter((s) => s.value).map((s) => [s.name, s.value]);
			const show = (el, on) => el.toggleAttribute('data-off', !on);
			let shown = 0;
			const ranked = all('.ranked li');
			for (const el of ranked) { const on = fits(el, chosen); show(el, on); shown += on; }
			for (const el of all('.outage, .failure')) show(el, fits(el, chosen));
			const route = chosen.filter(([k]) => k === 'route');
			for (const el of all('.stack tr[data-route]:not(.failure)')) show(el, fits(el, route));
			one('#shown').textContent = chosen.length ? shown + ' of ' + ranked.length + ' outages are shown' : '';
		};
		form.hidden = false;
		form.onchange = filter;
		form.onsubmit = (e) => e.preventDefault();
	}

	// What is printed is open.
	let opened = [];
	addEventListener('beforeprint', () => {
		opened = all('.outage details:not([open])');
		for (const d of opened) d.open = true;
	});
	addEventListener('afterprint', () => { for (const d of opened) d.open = false; });

	// The picture: a cursor that tells a moment, and a closer look.
	const plot = one('.plot'), data = one('#night-data');
	if (!plot || !data) return;
	const night = JSON.parse(data.textContent), n = night.requests.length;
	const controls = one('.controls'), range = one('input', controls), readout = one('.readout'), cursor = one('.cursor');
	const least = Math.min(n, 10);
	let from = 0, width = n;

	const two = (x) => String(x).padStart(2, '0');
	const east = (i) => night.zone.filter(([at]) => at <= i).pop()[1];
	const clock = (i) => {
		const t = new Date((night.from + i * night.step + east(Math.floor(i))) * 1000);
		const day = n * night.step > 86400 ? t.getUTCDate() + ' ' + t.toLocaleString('en', { month: 'short', timeZone: 'UTC' }) + ' ' : '';
		return day + two(t.getUTCHours()) + ':' + two(t.getUTCMinutes()) + (night.step % 60 ? ':' + two(t.getUTCSeconds()) : '');
	};
	const seconds = (ms) => ms < 1000 ? ms + ' ms' : (ms / 1000).toFixed(1) + ' s';
	const tell = (i) => {
		const parts = [night.requests[i] + ' requests'];
		const failed = night.failures[i] || [];
		const sum = failed.reduce((a, b) => a + b, 0);
		const causes = failed.map((k, c) => k && night.causes[c] + ' ' + k).filter(Boolean).join(', ');
		parts.push(sum ? sum + ' failed (' + causes + ')' : 'none failed');
		if (night.busy) parts.push(night.busy[i] + (night.workers ? ' of ' + night.workers : '') + ' workers busy');
		if (night.p95 && night.p95[i] >= 0) parts.push('95 of 100 within ' + seconds(night.p95[i]) + ', half within ' + seconds(night.median[i]));
		return clock(i) + ': ' + parts.join(', ');
	};
	const point = (i) => {
		i = Math.max(0, Math.min(n - 1, i));
		cursor.setAttribute('d', 'M' + (i + 0.5) + ' 0v100');
		range.value = i;
		const text = tell(i);
		range.setAttribute('aria-valuetext', text);
		readout.textContent = text;
	};
	const names = all('.names text, .axis text', plot), axis = one('.axis');
	const ticks = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];
	const look = (a, w) => {
		width = Math.max(least, Math.min(n, w));
		from = Math.max(0, Math.min(n - width, a));
		for (const s of all('.marks, .bands', plot)) {
			const box = s.getAttribute('viewBox').split(' ');
			s.setAttribute('viewBox', [from, 0, width, box[3]].join(' '));
		}
		for (const t of names) {
			const x = (t.dataset.at - from) / width;
			t.setAttribute('x', (100 * x).toFixed(2) + '%');
			t.toggleAttribute('data-off', x < 0 || x > 1 || (width < n && t.closest('.axis') !== null));
		}
		for (const t of all('.closer', axis)) t.remove();
		if (width < n) {
			const each = ticks.find((s) => width * night.step / s <= 8) || 604800;
			const start = night.from + from * night.step + east(Math.floor(from));
			for (let s = Math.ceil(start / each) * each; s < start + width * night.step; s += each) {
				const at = (s - start) / night.step + from, t = document.createElementNS('http://www.w3.org/2000/svg', 'text');
				const x = (at - from) / width;
				if (x < 0.02 || x > 0.98) continue;
				t.setAttribute('x', (100 * x).toFixed(2) + '%');
				t.setAttribute('y', 14);
				t.setAttribute('text-anchor', 'middle');
				t.setAttribute('class', 'closer');
				t.textContent = clock(Math.round(at));
				axis.append(t);
			}
		}
		range.min = Math.ceil(from);
		range.max = Math.min(n - 1, Math.floor(from + width));
	};
	const at = (e) => {
		const box = plot.getBoundingClientRect();
		return from + (e.clientX - box.left) / box.width * width;
	};
	controls.hidden = false;
	readout.textContent = 'Point at a moment, or choose one below with the arrow keys. Drag to look closer.';
	range.max = n - 1;
	range.oninput = () => point(+range.value);
	let pressed = null;
	plot.addEventListener('pointermove', (e) => point(Math.floor(at(e))));
	plot.addEventListener('pointerdown', (e) => { if (e.button === 0 && e.pointerType === 'mouse') pressed = at(e); });
	addEventListener('pointerup', (e) => {
		if (pressed === null) return;
		const a = Math.min(pressed, at(e)), b = Math.max(pressed, at(e));
		pressed = null;
		if (b - a > width / 50) look(Math.floor(a), Math.ceil(b) - Math.floor(a));
	});
	plot.addEventListener('dragstart', (e) => e.preventDefault());
	for (const b of all('[data-zoom]', controls)) {
		b.onclick = () => {
			const middle = range.value > 0 ? +range.value : from + width / 2;
			if (b.dataset.zoom === 'all') return look(0, n);
			const w = b.dataset.zoom === 'in' ? width / 2 : width * 2;
			look(Math.round(middle - w / 2), Math.round(w));
		};
	}
})();
