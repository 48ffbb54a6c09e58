// A shadow root for what brings its own styles: CodeMirror adds them to a document as <style>, which the content security policy
// forbids, but to a shadow root as adopted style sheets.

export function shadowOf(element: HTMLElement): ShadowRoot {
  return element.shadowRoot ?? element.attachShadow({ mode: 'open' });
}
