// A field to search with. Typing is answered at once here; who asks the network gets the text a moment later.

import { useEffect, useRef, useState } from 'react';

/** ms without a key after which the text is handed on. */
const PAUSE_MS = 80;

interface Props {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly placeholder?: string;
}

export function SearchBox({ label, value, onChange, placeholder = label }: Props) {
  const [text, setText] = useState(value);
  const handedOn = useRef(value);
  // The URL changed under us: Back, or a link.
  useEffect(() => {
    if (value !== handedOn.current) {
      handedOn.current = value;
      setText(value);
    }
  }, [value]);
  useEffect(() => {
    if (text === handedOn.current) return;
    const timer = setTimeout(() => {
      handedOn.current = text;
      onChange(text);
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, onChange]);
  return (
    <input
      className="search-box"
      type="search"
      aria-label={label}
      placeholder={placeholder}
      value={text}
      onChange={(event) => setText(event.target.value)}
      onKeyDown={(event) => {
        if (event.key === 'Escape' && text !== '') {
          event.stopPropagation();
          setText('');
        }
      }}
      spellCheck={false}
      autoComplete="off"
      data-search=""
    />
  );
}
