// The files that a C++ source includes, in code only: an include inside a comment does not count.

/** List of { path, isQuoted, line }. */
export function includesOf(text) {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '));
  return code.split('\n').flatMap((line, index) => {
    const match = /^\s*#\s*(?:include|include_next|import)\s*(?:<([^>]+)>|"([^"]+)")/.exec(line);
    return match ? [{ path: match[1] ?? match[2], isQuoted: match[2] !== undefined, line: index + 1 }] : [];
  });
}
