/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filters of the HTML report. The page has everything without this; here rows are hidden, and what is
 * chosen is kept in the address (#status=fail,known&level=MUST&q=pipe), so that a filtered view can be linked. An
 * address with #CHECK-ID opens that check.
 */
'use strict';
(() => {
        const all = (selector) => [...document.querySelectorAll(selector)];
        const byId = (id) => document.getElementById(id);
        const rows = all('.k').map((element) => ({
                element,
                summary: element.querySelector('summary'),
                values: Object.fromEntries(
                        Object.entries(element.dataset).map(([facet, text]) => [facet, text.split(' ')])),
                text: null,
        }));
        const sections = all('.sec').map((element) => ({
                element,
                count: element.querySelector('.count'),
                rows: rows.filter((row) => element.contains(row.element)),
        }));
        const buttons = all('button[data-facet]');
        const search = byId('q'), group = byId('group'), shown = byId('shown');
        const reset = byId('reset'), open = byId('open');
        /* What is chosen: for each facet its values. None: everything. */
        const chosen = {status: [], level: [], change: [], differs: [], group: []};

        /* ---- showing ---- */

        const textOf = (row) => (row.text ??= row.element.textContent.toLowerCase());

        function fits(row, words) {
                return Object.entries(chosen).every(([facet, values]) => values.length === 0 ||
                                values.some((value) => row.values[facet]?.includes(value))) &&
                        words.every((word) => textOf(row).includes(word));
        }

        const isShown = (row) => !row.element.hidden;

        function show() {
                const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);

                for (const row of rows)
                        row.element.hidden = !fits(row, words);
                for (const section of sections) {
                        const n = section.rows.filter(isShown).length;

                        section.element.hidden = n === 0;
                        section.count.textContent =
                                n === section.rows.length ? n : `${n} of ${section.rows.length}`;
                }
                for (const button of buttons)
                        button.setAttribute('aria-pressed',
                                chosen[button.dataset.facet].includes(button.dataset.value));
                group.value = chosen.group[0] ?? '';
                shown.textContent = `${rows.filter(isShown).length} of ${rows.length} shown`;
                reset.disabled = !address();
                tellOpen();
        }

        function tellOpen() {
                const closed = rows.some((row) => isShown(row) && !row.element.open);

                open.textContent = closed ? 'Open all' : 'Close all';
        }

        /* ---- the address ---- */

        function address() {
                const parts = Object.entries(chosen)
                        .filter(([, values]) => values.length)
                        .map(([facet, values]) => `${facet}=${values.map(encodeURIComponent).join(',')}`);

                if (search.value)
                        parts.push(`q=${encodeURIComponent(search.value)}`);
                return parts.join('&');
        }

        function remember() {
                const text = address();

                history.replaceState(null, '', text ? `#${text}` : location.href.split('#')[0]);
                show();
        }

        function decode(text) {
                try {
                        return decodeURIComponent(text);
                } catch {
                        return text;
                }
        }

        /* Takes over what the address says; what is no choice of this page is left out. */
        function take(text) {
                for (const facet of Object.keys(chosen))
                        chosen[facet] = [];
                search.value = '';
                for (const part of text.split('&')) {
                        const [facet, values = ''] = part.split('=', 2);

                        if (facet === 'q')
                                search.value = decode(values);
                        else if (facet === 'group')
                                chosen.group = [decode(values)].filter((value) =>
                                        value && [...group.options].some((option) => option.value === value));
                        else if (Object.hasOwn(chosen, facet))
                                chosen[facet] = values.split(',').map(decode).filter((value) =>
                                        buttons.some((button) => button.dataset.facet === facet &&
                                                button.dataset.value === value));
                }
        }

        function reveal(id) {
                const row = byId(id)?.closest('.k');

                if (!row)
                        return;
                if (row.hidden) {
                        take('');
                        show();
                }
                row.open = true;
                row.scrollIntoView({block: 'start'});
                row.querySelector('summary').focus({preventScroll: true});
        }

        function follow(event) {
                const text = location.hash.slice(1);

                if (text.includes('=') || !text) {
                        take(text);
                        show();
                        if (text && event)
                                byId('bar').scrollIntoView();
                } else {
                        if (!event)
                                show();
                        reveal(decode(text));
                }
        }

        /* ---- choosing ---- */

        for (const button of buttons)
                button.addEventListener('click', () => {
                        const {facet, value} = button.dataset;

                        chosen[facet] = chosen[facet].includes(value)
                                ? chosen[facet].filter((other) => other !== value)
                                : [...chosen[facet], value];
                        remember();
                });
        search.addEventListener('input', remember);
        group.addEventListener('change', () => {
                chosen.group = group.value ? [group.value] : [];
                remember();
        });
        reset.addEventListener('click', () => {
                take('');
                remember();
                search.focus();
        });
        open.addEventListener('click', () => {
                const to = rows.some((row) => isShown(row) && !row.element.open);

                for (const row of rows.filter(isShown))
                        row.element.open = to;
                tellOpen();
        });
        for (const row of rows)
                row.element.addEventListener('toggle', tellOpen);

        /* ---- keys ---- */

        function move(step) {
                const visible = rows.filter(isShown);
                const at = visible.findIndex((row) => row.element.contains(document.activeElement));
                const next = visible[at < 0 ? (step > 0 ? 0 : visible.length - 1) : at + step];

                next?.summary.focus();
        }

        document.addEventListener('keydown', (event) => {
                const writes = event.target.matches('input, select, textarea');

                if (event.ctrlKey || event.metaKey || event.altKey)
                        return;
                if (event.key === 'Escape' && event.target === search) {
                        search.value = '';
                        remember();
                } else if (writes) {
                        return;
                } else if (event.key === '/') {
                        search.focus();
                        search.select();
                } else if (event.key === 'j') {
                        move(1);
                } else if (event.key === 'k') {
                        move(-1);
                } else {
                        return;
                }
                event.preventDefault();
        });

        /* ---- paper ---- */

        let opened = [];
        addEventListener('beforeprint', () => {
                opened = rows.filter((row) => isShown(row) && row.element.matches('.short:not([open])'));
                for (const row of opened)
                        row.element.open = true;
        });
        addEventListener('afterprint', () => {
                for (const row of opened)
                        row.element.open = false;
        });

        /* ---- what works only with this ---- */

        for (const element of all('.js'))
                element.hidden = false;
        for (const button of buttons)
                button.disabled = false;
        for (const link of all('a[data-show]'))
                link.setAttribute('href', `#${link.dataset.show}`);
        for (const cell of all('td[data-show]')) {
                const link = document.createElement('a');

                link.setAttribute('href', `#${cell.dataset.show}`);
                link.append(...cell.childNodes);
                cell.append(link);
        }
        addEventListener('hashchange', follow);
        follow(null);
})();
