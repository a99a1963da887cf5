/* Draws the pictures a page describes. The expression interpreter stands in for eval, which the content policy forbids. */
(() => {
  "use strict";
  for (const place of document.querySelectorAll(".chart[data-spec]")) {
    vegaEmbed(place, JSON.parse(place.dataset.spec), {
      mode: "vega-lite",
      renderer: "canvas",
      actions: false,
      tooltip: false,
      defaultStyle: false,
      ast: true,
      expr: vegaInterpreter.expressionInterpreter,
    });
  }
})();
