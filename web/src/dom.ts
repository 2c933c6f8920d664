// The pages' one way to draw, without a framework: h() makes nodes from values, morph() turns what
// stands in the document into them in place, so that focus, open details and scroll positions
// outlive a refresh. Every text from outside goes in as a text node: there is nothing to escape.
// Listeners are not copied: pages listen on an ancestor and look at data-action.

type Child = Node | string;

// h('td', {className: 'x', 'aria-label': 'y', 'data-id': 'z'}, 'text' or nodes...). undefined,
// null and false leave an attribute out.
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number | boolean | null | undefined> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    const known = name === 'className' ? 'class' : name;
    element.setAttribute(known, value === true ? '' : String(value));
  }
  element.append(...children);
  return element;
}

// An SVG node; shapes are drawn with attributes alone, so that a strict CSP holds.
export function svg(
  tag: string,
  attributes: Record<string, string | number> = {},
  ...children: Child[]
): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

function isSame(old: Node, fresh: Node): boolean {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) return false;
  if (!(old instanceof Element) || !(fresh instanceof Element)) return true;
  return old.getAttribute('data-key') === fresh.getAttribute('data-key');
}

function morphOne(old: Node, fresh: Node): void {
  if (!(old instanceof Element) || !(fresh instanceof Element)) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  // Whether a reader opened it is the reader's.
  const keeps = (name: string) => name === 'open' && old.tagName === 'DETAILS';
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !keeps(name)) old.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  morph(old, ...fresh.childNodes);
}

// Makes `children` the children of `parent`, keeping each old one that is the same element. With
// data-key elements are the same wherever they stand.
export function morph(parent: Element, ...children: Child[]): void {
  const fresh = children.map((c) => (typeof c === 'string' ? document.createTextNode(c) : c));
  let at = parent.firstChild;
  for (const node of fresh) {
    const key = node instanceof Element ? node.getAttribute('data-key') : null;
    let old: ChildNode | null = at;
    while (old && key !== null && !isSame(old, node)) old = old.nextSibling;
    if (old && isSame(old, node)) {
      if (old === at) at = at.nextSibling;
      else parent.insertBefore(old, at);
      morphOne(old, node);
    } else {
      parent.insertBefore(node, at);
    }
  }
  while (at) {
    const next: ChildNode | null = at.nextSibling;
    at.remove();
    at = next;
  }
}

// A word of a closed list, or what came when the list does not know it. Own keys only:
// "constructor" is no word.
export function known(table: Record<string, string>, key: unknown): string {
  const text = String(key);
  return Object.prototype.hasOwnProperty.call(table, text) ? (table[text] ?? text) : text;
}

// The element of the page that has this id. It is in the page's HTML, or the page is broken.
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`no #${id}`);
  return element as T;
}

// Fills what the page's HTML leaves to the language: data-t is an element's text, data-t-label
// its aria-label.
export function translate(words: Record<string, unknown>): void {
  for (const element of document.querySelectorAll<HTMLElement>('[data-t]')) {
    element.textContent = String(words[element.dataset.t ?? '']);
  }
  for (const element of document.querySelectorAll<HTMLElement>('[data-t-label]')) {
    element.setAttribute('aria-label', String(words[element.dataset.tLabel ?? '']));
  }
}
