"""The admin of comments."""

from django.contrib import admin
from django.utils.text import Truncator

from accounts.admin import AdminBasics, MadeElsewhere
from comments.models import Comment
from projects.admin import InProjectAdmin
from tasks.admin import TaskAdmin


class CommentInline(MadeElsewhere, AdminBasics, admin.TabularInline):
    """What was said about a task, to read and delete; editing, which is marked, has its own page."""

    model = Comment
    fields = ["author", "body", "created_at", "edited_at"]
    readonly_fields = ["created_at", "edited_at"]
    ordering = ["created_at"]
    show_change_link = True
    list_select_related = ["task__project", "author"]


TaskAdmin.inlines = [*TaskAdmin.inlines, CommentInline]  # tasks know nothing of comments


@admin.register(Comment)
class CommentAdmin(InProjectAdmin):
    list_display = ["excerpt", "task", "author", "created_at", "edited_at"]
    list_filter = ["created_at", ("edited_at", admin.EmptyFieldListFilter), "task__project"]
    list_select_related = ["task__project", "author"]
    search_fields = ["body", "task__title", "author__email", "author__username", "id__exact"]
    date_hierarchy = "created_at"
    ordering = ["-created_at"]
    fields = ["task", "author", "body", "created_at", "edited_at", "updated_at"]
    readonly_fields = ["author", "created_at", "edited_at", "updated_at"]
    autocomplete_fields = ["task"]
    fixed = ["task"]

    @admin.display(description="comment")
    def excerpt(self, comment):
        return Truncator(comment.body).chars(80)

    def save_model(self, request, obj, form, change):
        if not change:
            obj.author = request.user
            super().save_model(request, obj, form, change)
        elif form.has_changed():
            obj.project.refuse_while_archived()
            obj.edit(obj.body)
