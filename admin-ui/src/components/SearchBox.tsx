// A field to search with. Typing is answered at once here; who asks the network gets the text, too, but not with every key of
// somebody who types quickly.

import { useEffect, useRef, useState } from 'react';

/** ms between two texts that are handed on. */
const APART_MS = 80;

interface Props {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly placeholder?: string;
}

export function SearchBox({ label, value, onChange, placeholder = label }: Props) {
  const [text, setText] = useState(value);
  const handedOn = useRef(value);
  const handedOnAt = useRef(0);
  // The URL changed under us: Back, or a link.
  useEffect(() => {
    if (value !== handedOn.current) {
      handedOn.current = value;
      setText(value);
    }
  }, [value]);
  useEffect(() => {
    if (text === handedOn.current) return;
    const wait = Math.max(0, handedOnAt.current + APART_MS - performance.now());
    const timer = setTimeout(() => {
      handedOn.current = text;
      handedOnAt.current = performance.now();
      onChange(text);
    }, wait);
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
