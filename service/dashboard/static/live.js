// The few things that renewing parts need beyond htmx: say what changed, and say when nothing comes.
"use strict";
(function () {
  var last = new Date();
  var said = "";

  function say() {
    var live = document.getElementById("live");
    var text = live ? live.dataset.announcement : "";
    if (text && said && text !== said) {
      document.getElementById("announce").textContent = text;
      var done = document.getElementById("done");
      if (done) { done.remove(); }  // what was asked for has begun, the page itself shows it
    }
    said = text || said;
  }

  function lost() {
    document.getElementById("lost-at").textContent = last.toLocaleTimeString();
    document.getElementById("lost").hidden = false;
  }

  document.addEventListener("htmx:afterSwap", say);
  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:timeout", lost);
  document.addEventListener("htmx:responseError", function (event) {
    if (event.detail.xhr.status >= 500) { lost(); }
  });
  document.addEventListener("htmx:afterRequest", function (event) {
    if (event.detail.successful) {
      last = new Date();
      document.getElementById("lost").hidden = true;
    }
  });
  document.addEventListener("DOMContentLoaded", say);
})();
